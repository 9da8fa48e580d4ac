import Foundation

/// `manifest.json` as an app needs it. The field names and their meaning are those of builder/bundle/manifest.py.
public struct Manifest: Decodable, Sendable {
    /// The newest schema this SDK reads.
    public static let schema = 1

    public let model: ModelInfo
    public let inputs: [TensorSpec]
    public let outputs: [TensorSpec]
    /// In order of preference.
    public let variants: [Variant]
    public let goldens: [Golden]
    /// Every file of the bundle but the manifest, with its hash.
    public let files: [FileHash]
    /// Orders measured on devices; the first that fits is taken.
    public let rankings: [Ranking]?

    /// Throws `BundleError` for a newer schema, a missing field, a value that cannot be, or a path that leaves the
    /// bundle.
    public static func read(_ data: Data) throws -> Manifest {
        struct Versioned: Decodable { let schema: Int }
        do {
            let found = try JSONDecoder().decode(Versioned.self, from: data).schema
            if found > schema {
                throw BundleError(
                    "the bundle has schema \(found) but this app reads up to \(schema); update the app's edgebundle SDK."
                )
            }
            let manifest = try JSONDecoder().decode(Manifest.self, from: data)
            try manifest.check()
            return manifest
        } catch let error as BundleError {
            throw error
        } catch {
            let reason = (error as? DecodingError).map(describe) ?? error.localizedDescription
            throw BundleError("manifest.json is not a valid manifest (\(reason)); package the bundle again.")
        }
    }

    /// The variant of that id. Throws `BundleError` naming the known ones.
    public func variant(_ id: String) throws -> Variant {
        if let found = variants.first(where: { $0.id == id }) { return found }
        throw BundleError("the bundle has no variant '\(id)'; it has \(variants.map(\.id).joined(separator: ", ")).")
    }

    /// The goldens of a variant: those of its own picture size.
    public func goldens(of variant: Variant) -> [Golden] {
        goldens.filter { $0.expected.contains { $0.variant == variant.id } }
    }

    private static func describe(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return "\(place.isEmpty ? "it" : place) has another type than expected"
        @unknown default: return "it cannot be decoded"
        }
    }
}

public struct ModelInfo: Decodable, Sendable {
    public let name: String
}

/// sha256 of one file of the bundle.
public struct FileHash: Decodable, Sendable {
    public let file: String
    public let sha256: String
}

/// A tensor as the source model sees it; `shape` is logical (NCHW for images).
public struct TensorSpec: Decodable, Sendable {
    public let name: String
    public let kind: String
    public let shape: [Int]
    public let colorOrder: String?
    public let range: [Double]?
    public let mean: [Double]?
    public let std: [Double]?
    public let resize: String?
    public let labels: [String]?

    enum CodingKeys: String, CodingKey {
        case name, kind, shape, range, mean, std, resize, labels
        case colorOrder = "color_order"
    }

    public var isImage: Bool { kind == "image" }
    /// An image of three colours, which is filled from pixels and read into pixels; other images are values.
    public var isPicture: Bool { isImage && shape.count == 4 && shape[0] == 1 && shape[1] == 3 }
    public var isBgr: Bool { colorOrder == "BGR" }
    /// Height and width of a picture.
    public var height: Int { shape[shape.count - 2] }
    public var width: Int { shape[shape.count - 1] }
    public var count: Int { shape.reduce(1, *) }

    /// This picture's size, with another one's way of cutting.
    public func fitting(as other: TensorSpec) -> TensorSpec { with(shape: shape, resize: other.resize) }

    /// The tensor with the shape that one variant has for it: a bundle may hold a model at several picture sizes.
    func sized(_ bindings: [Binding]) -> TensorSpec {
        guard let binding = bindings.first(where: { $0.name == name }) else { return self }
        return with(shape: binding.logicalShape, resize: resize)
    }

    private func with(shape: [Int], resize: String?) -> TensorSpec {
        TensorSpec(
            name: name, kind: kind, shape: shape, colorOrder: colorOrder, range: range, mean: mean, std: std,
            resize: resize, labels: labels)
    }
}

/// How one logical tensor is laid out in one artifact. `image` stands for a picture of 8 bits a channel that the
/// artifact scales itself.
public struct Binding: Decodable, Sendable, Equatable {
    public enum Layout: String, Decodable, Sendable {
        case nchw = "NCHW"
        case nhwc = "NHWC"
        case plain
        case image
    }

    public let name: String
    public let index: Int
    public let layout: Layout
    public let shape: [Int]
    public let dtype: String

    public init(name: String, index: Int, layout: Layout, shape: [Int], dtype: String) {
        self.name = name
        self.index = index
        self.layout = layout
        self.shape = shape
        self.dtype = dtype
    }

    public var count: Int { shape.reduce(1, *) }

    /// NCHW for pictures, whatever the artifact's own layout.
    var logicalShape: [Int] { layout == .nhwc ? [shape[0], shape[3], shape[1], shape[2]] : shape }
}

/// Whether a larger picture may be made of tiles: `overlap` source pixels on each side of a tile make seams vanish,
/// tiles start at multiples of `multiple`; `reason` says why not.
public struct Tiling: Decodable, Sendable {
    public let allowed: Bool
    public let overlap: Int?
    public let multiple: Int?
    public let reason: String?
}

/// One artifact: backend x plan x delegate. `file` may be a directory (.mlpackage).
public struct Variant: Decodable, Sendable {
    public let id: String
    public let backend: String
    public let delegate: String
    public let file: String
    public let bytes: Int
    public let sha256: String
    public let inputs: [Binding]
    public let outputs: [Binding]
    /// What loading and running it takes at most, as the builder predicts.
    public let predictedPeakMemoryBytes: Int?
    /// The oldest system that loads it, e.g. `iOS 16`.
    public let minimumRuntime: String?
    /// `nil` in bundles that do not say.
    public let tiling: Tiling?

    /// Whether more than the CPU is to execute it, which may fail where the CPU does not.
    public var isAccelerated: Bool { delegate != "xnnpack" && delegate != "cpu" }

    enum CodingKeys: String, CodingKey {
        case id, backend, delegate, file, bytes, sha256, inputs, outputs, tiling
        case predictedPeakMemoryBytes = "predicted_peak_memory_bytes"
        case minimumRuntime = "minimum_runtime"
    }
}

/// An order of variants that was measured on devices of one kind: their `soc`, or their `model`.
public struct Ranking: Decodable, Sendable {
    public let soc: String?
    public let model: String?
    public let variants: [String]
    /// What it was measured on, where the bundle says so.
    public let phones: [Phone]?

    /// Whether it was measured on devices like this one.
    func fits(_ facts: DeviceFacts) -> Bool {
        ([Phone(soc: soc, model: model)] + (phones ?? [])).contains { facts.phone.isSame(as: $0) }
    }

    /// Place of a variant in the order; those that were not measured come last.
    func place(_ variant: Variant) -> Int { variants.firstIndex(of: variant.id) ?? variants.count }
}

/// `encoding` is `png` (8-bit RGB), `png_sparse` (one pixel of each block of 4 x 4, see `sparsePixels`) or `f32` (raw
/// little-endian float32 in logical order).
public struct GoldenTensor: Decodable, Sendable {
    public let name: String
    public let file: String
    public let encoding: String
    public var isPicture: Bool { encoding == "png" || isSparse }
    public var isSparse: Bool { encoding == "png_sparse" }
}

/// What one variant must give: at least `minPsnrDb` against the stored tensors.
public struct GoldenOutputs: Decodable, Sendable {
    public let variant: String
    public let tensors: [GoldenTensor]
    public let minPsnrDb: Double

    enum CodingKeys: String, CodingKey {
        case variant, tensors
        case minPsnrDb = "min_psnr_db"
    }
}

/// A test input and the output that each variant must give for it on any device.
public struct Golden: Decodable, Sendable {
    public let id: String
    public let inputs: [GoldenTensor]
    public let expected: [GoldenOutputs]
}
