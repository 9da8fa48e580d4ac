import Foundation

/// The memory of one tensor of an artifact, in the artifact's own layout and type; allocated once and reused.
///
/// Not thread-safe: a session, and with it its buffers, belongs to one actor.
public final class TensorBuffer {
    public let binding: Binding
    public let bytes: UnsafeMutableRawBufferPointer

    /// Zeroed memory for a binding. Throws `BundleError` for a type that no engine of this SDK takes.
    public init(_ binding: Binding) throws {
        self.binding = binding
        let size = max(1, try elementBytes(binding) * binding.count)
        var memory: UnsafeMutableRawPointer?
        // 64: a cache line, and the widest load of any kernel; Swift's own allocation ends the app where there is no
        // memory
        guard posix_memalign(&memory, 64, size) == 0, let memory else {
            throw BundleError("there is no memory for the \(size) bytes of '\(binding.name)'.")
        }
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: size)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        free(bytes.baseAddress)
    }

    public var floats: UnsafeMutableBufferPointer<Float> { bytes.bindMemory(to: Float.self) }

    /// Logical values (NCHW for images) -> this layout and type.
    public func write(_ values: [Float]) {
        precondition(
            values.count == binding.count, "\(binding.name) takes \(binding.count) values, not \(values.count)")
        if binding.dtype == "int32" {
            let target = bytes.bindMemory(to: Int32.self)
            for at in values.indices { target[at] = whole(values[logicalIndex(at)]) }
        } else if binding.layout != .nhwc {
            _ = floats.update(fromContentsOf: values)
        } else {
            let target = floats
            for at in values.indices { target[at] = values[logicalIndex(at)] }
        }
    }

    /// This tensor -> logical values.
    public func read() -> [Float] {
        if binding.dtype != "int32" && binding.layout != .nhwc { return Array(floats.prefix(binding.count)) }
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
    default:
        throw BundleError(
            "tensor '\(binding.name)' is \(binding.dtype), which this app cannot fill; export it as float32.")
    }
}

/// The nearest whole number of 32 bits; 0 for what is no number.
private func whole(_ value: Float) -> Int32 {
    if value.isNaN { return 0 }
    return Int32(exactly: value.rounded()) ?? (value < 0 ? .min : .max)
}
