/// A loaded variant with the buffers of its tensors, addressed by the manifest's names.
///
/// Used by one task at a time. Buffers are made once: filling, running and reading pictures allocates nothing of its
/// own.
public final class Session {
    public let manifest: Manifest
    public let variant: Variant
    public let engine: any Engine
    /// The manifest's inputs and outputs at this variant's sizes.
    public let inputSpecs: [TensorSpec]
    public let outputSpecs: [TensorSpec]
    private let inputs: [TensorBuffer]
    private let outputs: [TensorBuffer]
    private var codecs: [String: PictureCodec] = [:]

    /// Throws `BundleError` when the manifest contradicts itself.
    public init(manifest: Manifest, variant: Variant, engine: any Engine) throws {
        (self.manifest, self.variant, self.engine) = (manifest, variant, engine)
        inputs = try variant.inputs.sorted { $0.index < $1.index }.map(TensorBuffer.init)
        outputs = try variant.outputs.sorted { $0.index < $1.index }.map(TensorBuffer.init)
        inputSpecs = manifest.inputs.map { $0.sized(variant.inputs) }
        outputSpecs = manifest.outputs.map { $0.sized(variant.outputs) }
        for (specs, buffers) in [(inputSpecs, inputs), (outputSpecs, outputs)] {
            for spec in specs where spec.isPicture {
                codecs[spec.name] = try PictureCodec(spec, try Self.buffer(buffers, spec.name, variant).binding)
            }
        }
    }

    /// Fills an image input with pixels of exactly its size.
    public func setPicture(_ name: String, _ argb: [UInt32]) throws {
        let (codec, buffer) = (try self.codec(of: name), try Self.buffer(inputs, name, variant))
        guard argb.count == codec.pixelCount else {
            throw BundleError("'\(name)' takes \(codec.pixelCount) pixels, not \(argb.count).")
        }
        argb.withUnsafeBufferPointer { codec.encode($0, into: buffer) }
    }

    /// Fills an input with logical values.
    public func setValues(_ name: String, _ values: [Float]) throws {
        let buffer = try Self.buffer(inputs, name, variant)
        guard values.count == buffer.binding.count else {
            throw BundleError("'\(name)' takes \(buffer.binding.count) values, not \(values.count).")
        }
        buffer.write(values)
    }

    public func run() throws { try engine.run(inputs: inputs, outputs: outputs) }

    /// Reads an image output into pixels of exactly its size.
    public func readPicture(_ name: String, into argb: inout [UInt32]) throws {
        let (codec, buffer) = (try self.codec(of: name), try Self.buffer(outputs, name, variant))
        argb.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
    }

    /// An output's logical values; those of an artifact's own picture are what its pixels stand for.
    public func values(_ name: String) throws -> [Float] {
        let buffer = try Self.buffer(outputs, name, variant)
        guard buffer.binding.layout == .image else { return buffer.read() }
        guard let spec = outputSpecs.first(where: { $0.name == name }) else { throw unknown(name) }
        var argb = [UInt32](repeating: 0, count: spec.width * spec.height)
        try readPicture(name, into: &argb)
        return try codec(of: name).logical(argb)
    }

    /// The codec of an image input or output.
    public func codec(of name: String) throws -> PictureCodec {
        guard let codec = codecs[name] else { throw unknown(name) }
        return codec
    }

    private static func buffer(_ all: [TensorBuffer], _ name: String, _ variant: Variant) throws -> TensorBuffer {
        guard let found = all.first(where: { $0.binding.name == name }) else {
            throw BundleError("variant '\(variant.id)' has no tensor '\(name)'; package the bundle again.")
        }
        return found
    }

    private func unknown(_ name: String) -> BundleError {
        BundleError("variant '\(variant.id)' has no picture '\(name)'; package the bundle again.")
    }
}
