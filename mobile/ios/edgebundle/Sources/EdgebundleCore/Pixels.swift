/// A picture: `argb` holds width x height opaque pixels, row by row.
public struct Pixels: Sendable, Equatable {
    public let width: Int
    public let height: Int
    public var argb: [UInt32]

    public init(width: Int, height: Int, argb: [UInt32]) {
        precondition(argb.count == width * height, "\(width) x \(height) pixels, not \(argb.count)")
        self.width = width
        self.height = height
        self.argb = argb
    }
}

/// The part of a picture that is shown to the model, in its pixels.
public struct Crop: Sendable, Equatable {
    public let left: Int
    public let top: Int
    public let width: Int
    public let height: Int
}

/// The manifest's resize policy for a picture: all of it (`stretch`), or the largest centred part of the model's
/// proportions.
public func crop(width: Int, height: Int, for spec: TensorSpec) -> Crop {
    if spec.resize == "stretch" { return Crop(left: 0, top: 0, width: width, height: height) }
    let wanted = Double(spec.width) / Double(spec.height)
    let cropWidth = max(1, min(width, Int((Double(height) * wanted + 0.5).rounded(.down))))
    let cropHeight = max(1, min(height, Int((Double(width) / wanted + 0.5).rounded(.down))))
    return Crop(left: (width - cropWidth) / 2, top: (height - cropHeight) / 2, width: cropWidth, height: cropHeight)
}

/// How many pixels a rendered picture may have when `freeBytes` of memory are free: source and result, four bytes each,
/// in half of it.
public func affordablePixels(freeBytes: Int) -> Int { max(1 << 16, freeBytes / 2 / (2 * 4)) }

/// This size, or the largest one of the same proportions that has at most `limit` pixels.
public func sizeWithin(width: Int, height: Int, limit: Int) -> (width: Int, height: Int) {
    let pixels = width * height
    if pixels <= limit { return (width, height) }
    let scale = (Double(limit) / Double(pixels)).squareRoot()
    return (max(1, Int(Double(width) * scale)), max(1, Int(Double(height) * scale)))
}
