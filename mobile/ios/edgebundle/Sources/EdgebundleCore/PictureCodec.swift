/// Between pixels and the tensor of one artifact: the arithmetic of builder/bundle/tensors.py, step by step in float32.
///
/// Takes and gives pixels of exactly the tensor's size. A border of layout `image` holds the pixels themselves (one
/// BGRA word each, which is an ARGB word of a little-endian machine): there the artifact does the arithmetic.
public struct PictureCodec: Sendable {
    private static let channels = 3
    private let spec: TensorSpec
    private let layout: Binding.Layout
    let pixelCount: Int
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
        guard spec.isPicture, binding.dtype == "float32" else {
            throw BundleError(
                "'\(spec.name)' is no float32 picture of shape [1, 3, height, width]; it cannot be filled from pixels.")
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
        (self.low, self.width, self.mean, self.std, self.isNormalized, self.levels) = (
            low, width, mean, std, isNormalized, levels
        )
        isUnit = !isNormalized && low == 0 && width == 1
    }

    /// Writes pixels (alpha is ignored) as the model's input.
    public func encode(_ argb: UnsafeBufferPointer<UInt32>, into target: TensorBuffer) {
        precondition(argb.count == pixelCount, "\(spec.name) takes \(pixelCount) pixels, not \(argb.count)")
        if layout == .image {
            opaque(argb.baseAddress!, target.bytes.bindMemory(to: UInt32.self).baseAddress!)
            return
        }
        let isInterleaved = layout == .nhwc
        fill(
            target.floats.baseAddress!, step: isInterleaved ? Self.channels : 1, plane: isInterleaved ? 1 : pixelCount,
            from: argb.baseAddress!, count: pixelCount)
    }

    /// Reads the model's output into opaque pixels, clamped and rounded half up; what is not a number becomes 0.
    public func decode(_ source: TensorBuffer, into argb: UnsafeMutableBufferPointer<UInt32>) {
        precondition(argb.count == pixelCount, "\(spec.name) gives \(pixelCount) pixels, not \(argb.count)")
        if layout == .image {
            opaque(UnsafePointer(source.bytes.bindMemory(to: UInt32.self).baseAddress!), argb.baseAddress!)
            return
        }
        let (values, pixels) = (UnsafePointer(source.floats.baseAddress!), argb.baseAddress!)
        argb.update(repeating: 0xff00_0000)
        for channel in 0..<Self.channels { decodeChannel(channel, values, into: pixels) }
    }

    /// The values that pixels, however many, stand for: channel by channel, as goldens are compared.
    public func logical(_ argb: [UInt32]) -> [Float] {
        [Float](unsafeUninitializedCapacity: argb.count * Self.channels) { values, count in
            argb.withUnsafeBufferPointer { pixels in
                guard let first = pixels.baseAddress else { return }
                fill(values.baseAddress!, step: 1, plane: pixels.count, from: first, count: pixels.count)
            }
            count = argb.count * Self.channels
        }
    }

    /// The values of pixels, channel by channel.
    private func fill(
        _ values: UnsafeMutablePointer<Float>, step: Int, plane: Int, from pixels: UnsafePointer<UInt32>, count: Int
    ) {
        levels.withUnsafeBufferPointer { levels in
            for channel in 0..<Self.channels {
                fillChannel(
                    values + channel * plane, step, pixels, count, levels.baseAddress! + 256 * channel,
                    shift(of: channel))
            }
        }
    }

    private func fillChannel(
        _ values: UnsafeMutablePointer<Float>, _ step: Int, _ pixels: UnsafePointer<UInt32>, _ count: Int,
        _ table: UnsafePointer<Float>, _ shift: UInt32
    ) {
        var (i, at) = (0, 0)
        while i < count {
            values[at] = table[index(pixels[i] &>> shift & 0xff)]
            at &+= step
            i &+= 1
        }
    }

    /// One channel of all pixels; each kind of range has its loop, so that no loop decides anything.
    private func decodeChannel(
        _ channel: Int, _ values: UnsafePointer<Float>, into pixels: UnsafeMutablePointer<UInt32>
    ) {
        let step = layout == .nhwc ? Self.channels : 1
        let shift = shift(of: channel)
        var (i, at) = (0, layout == .nhwc ? channel : channel * pixelCount)
        if isUnit {
            while i < pixelCount {
                pixels[i] |= level(values[at]) &<< shift
                at &+= step
                i &+= 1
            }
        } else if isNormalized {
            let (std, mean) = (std[channel], mean[channel])
            while i < pixelCount {
                pixels[i] |= level(values[at] * std + mean) &<< shift
                at &+= step
                i &+= 1
            }
        } else {
            let (low, width) = (low, width)
            while i < pixelCount {
                pixels[i] |= level((values[at] - low) / width) &<< shift
                at &+= step
                i &+= 1
            }
        }
    }

    private func opaque(_ source: UnsafePointer<UInt32>, _ target: UnsafeMutablePointer<UInt32>) {
        var i = 0
        while i < pixelCount {
            target[i] = source[i] | 0xff00_0000
            i &+= 1
        }
    }

    /// Bits of the ARGB pixel that hold the colour of the model's channel.
    private func shift(of channel: Int) -> UInt32 { UInt32(8 * (spec.isBgr ? channel : Self.channels - 1 - channel)) }
}

/// 0..1 as one of 256 levels, rounded half up. A comparison with NaN is false: it becomes 0, as in
/// builder/bundle/tensors.py's readers.
@_transparent
private func level(_ unit: Float) -> UInt32 {
    let scaled = unit * 255
    let clamped: Float = scaled > 0 ? (scaled < 255 ? scaled : 255) : 0
    return UInt32(clamped + 0.5)
}
