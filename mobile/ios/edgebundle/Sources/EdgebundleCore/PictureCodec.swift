/// Between pixels and the tensor of one artifact: the arithmetic of builder/bundle/tensors.py, step by step in float32.
///
/// Takes and gives pixels of exactly the tensor's size. A border of layout `image` holds the pixels themselves (one BGRA word each,
/// which is an ARGB word of a little-endian machine): there the artifact does the arithmetic.
public struct PictureCodec: Sendable {
    private static let channels = 3
    private let spec: TensorSpec
    private let layout: Binding.Layout
    private let pixelCount: Int
    private let low: Float
    private let width: Float
    private let mean: [Float]
    private let std: [Float]
    private let isNormalized: Bool
    /// Values are already 0..1: nothing to undo, and the arithmetic would give the same bits.
    private let isUnit: Bool
    /// By channel of the model, the value of each of the 256 levels; one after the other.
    private let levels: [Float]

    /// Throws `BundleError` for a tensor that is no picture.
    public init(_ spec: TensorSpec, _ binding: Binding) throws {
        guard spec.isImage, spec.shape.count == 4, spec.shape[0] == 1, spec.shape[1] == Self.channels, binding.dtype == "float32" else {
            throw BundleError("'\(spec.name)' is no float32 picture of shape [1, 3, height, width]; it cannot be filled from pixels.")
        }
        self.spec = spec
        layout = binding.layout
        pixelCount = spec.width * spec.height
        let low = Float(spec.range?[0] ?? 0)
        let width = Float(spec.range?[1] ?? 1) - low
        let mean = (spec.mean ?? [0, 0, 0]).map { Float($0) }
        let std = (spec.std ?? [1, 1, 1]).map { Float($0) }
        let isNormalized = spec.mean != nil && spec.std != nil
        var levels: [Float] = []
        for channel in 0..<Self.channels {
            for level in 0..<256 {
                let unit = Float(level) / 255
                levels.append(isNormalized ? (unit - mean[channel]) / std[channel] : low + unit * width)
            }
        }
        (self.low, self.width, self.mean, self.std, self.isNormalized, self.levels) = (low, width, mean, std, isNormalized, levels)
        isUnit = !isNormalized && low == 0 && width == 1
    }

    /// Writes pixels (alpha is ignored) as the model's input.
    public func encode(_ argb: UnsafeBufferPointer<UInt32>, into target: TensorBuffer) {
        precondition(argb.count == pixelCount, "\(spec.name) takes \(pixelCount) pixels, not \(argb.count)")
        if layout == .image {
            let words = target.bytes.bindMemory(to: UInt32.self)
            for i in 0..<pixelCount { words[i] = argb[i] | 0xff00_0000 }
            return
        }
        let values = target.floats.baseAddress!
        let pixels = argb.baseAddress!
        let step = layout == .nhwc ? Self.channels : 1
        let plane = layout == .nhwc ? 1 : pixelCount
        levels.withUnsafeBufferPointer { levels in
            for channel in 0..<Self.channels {
                let table = levels.baseAddress! + 256 * channel
                let shift = shift(of: channel)
                var at = channel * plane
                for i in 0..<pixelCount {
                    values[at] = table[Int(pixels[i] &>> shift & 0xff)]
                    at &+= step
                }
            }
        }
    }

    /// Reads the model's output into opaque pixels, clamped and rounded half up; what is not a number becomes 0.
    public func decode(_ source: TensorBuffer, into argb: UnsafeMutableBufferPointer<UInt32>) {
        precondition(argb.count == pixelCount, "\(spec.name) gives \(pixelCount) pixels, not \(argb.count)")
        if layout == .image {
            let words = source.bytes.bindMemory(to: UInt32.self)
            for i in 0..<pixelCount { argb[i] = words[i] | 0xff00_0000 }
            return
        }
        let values = UnsafePointer(source.floats.baseAddress!)
        let pixels = argb.baseAddress!
        if isUnit {
            decode(values, into: pixels) { unit, _ in unit }
        } else if isNormalized {
            let (first, second, third) = ((std[0], mean[0]), (std[1], mean[1]), (std[2], mean[2]))
            decode(values, into: pixels) { value, channel in
                let (std, mean) = channel == 0 ? first : channel == 1 ? second : third
                return value * std + mean
            }
        } else {
            let (low, width) = (low, width)
            decode(values, into: pixels) { value, _ in (value - low) / width }
        }
    }

    /// The values that pixels stand for, in logical order, as goldens are compared.
    public func logical(_ argb: [UInt32]) -> [Float] {
        (0..<pixelCount * Self.channels).map { at in
            let channel = at / pixelCount
            return levels[256 * channel + Int(argb[at % pixelCount] >> shift(of: channel) & 0xff)]
        }
    }

    @inline(__always)
    private func decode(_ values: UnsafePointer<Float>, into pixels: UnsafeMutablePointer<UInt32>, toUnit: (Float, Int) -> Float) {
        let step = layout == .nhwc ? Self.channels : 1
        let plane = layout == .nhwc ? 1 : pixelCount
        let (firstShift, thirdShift) = (shift(of: 0), shift(of: 2))
        var at = 0
        for i in 0..<pixelCount {
            let first = level(toUnit(values[at], 0)) &<< firstShift
            let second = level(toUnit(values[at &+ plane], 1)) &<< 8
            let third = level(toUnit(values[at &+ 2 &* plane], 2)) &<< thirdShift
            pixels[i] = 0xff00_0000 | first | second | third
            at &+= step
        }
    }

    @inline(__always)
    private func level(_ unit: Float) -> UInt32 {
        let scaled = unit * 255
        // a comparison with NaN is false: it becomes 0, as in builder/bundle/tensors.py's readers
        let clamped: Float = scaled > 0 ? (scaled < 255 ? scaled : 255) : 0
        return UInt32(truncatingIfNeeded: Int32(clamped + 0.5))
    }

    /// Bits of the ARGB pixel that hold the colour of the model's channel.
    private func shift(of channel: Int) -> UInt32 { UInt32(8 * (spec.isBgr ? channel : Self.channels - 1 - channel)) }
}
