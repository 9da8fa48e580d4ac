import Foundation

/// Loads variants of a bundle: hash verified, artifact loaded in its engine.
public struct ModelLoader: Sendable {
    public static let manifestName = "manifest.json"
    public let files: BundleFiles
    /// Identity of the bundle: the hash of its manifest.
    public let bundleSha256: String
    public let manifest: Manifest
    public let goldens: GoldenCheck
    private let engines: [String: any EngineFactory]

    /// Reads the manifest of the bundle in `root`. Throws `BundleError`.
    public init(root: URL, reader: @escaping PictureReader, engines: [String: any EngineFactory]) throws {
        files = BundleFiles(root: root)
        let data = try files.data(Self.manifestName)
        bundleSha256 = sha256(data)
        manifest = try Manifest.read(data)
        goldens = GoldenCheck(
            files, reader: reader, hashes: Dictionary(manifest.files.map { ($0.file, $0.sha256) }) { $1 })
        self.engines = engines
    }

    /// The variants that this app has an engine for, in order of preference.
    public var variants: [Variant] { manifest.variants.filter { engines[engineKey($0)] != nil } }

    /// The variants that this app has an engine for, in the order in which this device tries them; `wished` before all
    /// others. Throws `BundleError` when the bundle has no variant of that id.
    public func choose(_ facts: DeviceFacts, wished: String? = nil) throws -> VariantChoice {
        let choice = chooseVariants(manifest, engines: Set(engines.keys), facts: facts)
        guard let wished else { return choice }
        let first = try manifest.variant(wished)
        return VariantChoice(order: [first] + choice.order.filter { $0.id != wished }, messages: choice.messages)
    }

    /// Loads one variant without running it. Throws `BundleError` naming it and the reason, and what the engine throws.
    public func load(_ variant: Variant) async throws -> sending Session {
        guard let factory = engines[engineKey(variant)] else {
            throw BundleError(
                "variant '\(variant.id)' needs \(variant.backend) with \(variant.delegate), which this app does not carry."
            )
        }
        let artifact = files.url(variant.file)
        if try treeSha256(artifact) != variant.sha256 {
            throw BundleError(
                "\(variant.file) of variant '\(variant.id)' does not have the hash in the manifest; install the app again."
            )
        }
        return try Session(manifest: manifest, variant: variant, engine: try await factory.open(variant, artifact))
    }
}
