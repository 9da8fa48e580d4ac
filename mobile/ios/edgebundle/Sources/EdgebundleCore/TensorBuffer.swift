/// The memory of one tensor of an artifact, in the artifact's own layout and type; allocated once and reused.
///
/// Not thread-safe: a session, and with it its buffers, belongs to one actor.
public final class TensorBuffer {
    public let binding: Binding
    public let bytes: UnsafeMutableRawBufferPointer

    /// Zeroed memory for a binding. Throws `BundleError` for a type that no engine of this SDK takes.
    public init(_ binding: Binding) throws {
        self.binding = binding
        let size = try elementBytes(binding) * binding.count
        // 64: a cache line, and the widest load of any kernel
        bytes = .allocate(byteCount: max(size, 1), alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        bytes.deallocate()
    }

    public var floats: UnsafeMutableBufferPointer<Float> { bytes.bindMemory(to: Float.self) }

    /// Logical values (NCHW for images) -> this layout and type.
    public func write(_ values: [Float]) {
        precondition(values.count == binding.count, "\(binding.name) takes \(binding.count) values, not \(values.count)")
        if binding.dtype == "int32" {
            let target = bytes.bindMemory(to: Int32.self)
            for at in values.indices { target[at] = Int32(values[logicalIndex(at)]) }
        } else {
            let target = floats
            for at in values.indices { target[at] = values[logicalIndex(at)] }
        }
    }

    /// This tensor -> logical values.
    public func read() -> [Float] {
        var values = [Float](repeating: 0, count: binding.count)
        if binding.dtype == "int32" {
            let source = bytes.bindMemory(to: Int32.self)
            for at in values.indices { values[logicalIndex(at)] = Float(source[at]) }
        } else {
            let source = floats
            for at in values.indices { values[logicalIndex(at)] = source[at] }
        }
        return values
    }

    /// Where the artifact's element stands in the logical tensor.
    private func logicalIndex(_ at: Int) -> Int {
        guard binding.layout == .nhwc else { return at }
        let (height, width, channels) = (binding.shape[1], binding.shape[2], binding.shape[3])
        let plane = height * width
        let image = at / (plane * channels)
        return (image * channels + at % channels) * plane + at / channels % plane
    }
}

private func elementBytes(_ binding: Binding) throws -> Int {
    switch binding.dtype {
    case "float32", "int32": return 4
    default: throw BundleError("tensor '\(binding.name)' is \(binding.dtype), which this app cannot fill; export it as float32.")
    }
}
