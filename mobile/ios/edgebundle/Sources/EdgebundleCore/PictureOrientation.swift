/// How a picture's stored pixels are to be turned so that it stands upright; the numbers are those of EXIF and of
/// Apple's `CGImagePropertyOrientation`.
public enum PictureOrientation: Int, Sendable, CaseIterable {
    case up = 1
    case upMirrored, down, downMirrored, leftMirrored, right, rightMirrored, left

    /// Of a video whose stored frames are shown by a transform of these four numbers (a `CGAffineTransform` without its
    /// shift); nil for one that is no turn by right angles.
    public init?(a: Double, b: Double, c: Double, d: Double) {
        let turns: [[Int]: PictureOrientation] = [
            [1, 0, 0, 1]: .up, [-1, 0, 0, 1]: .upMirrored, [-1, 0, 0, -1]: .down, [1, 0, 0, -1]: .downMirrored,
            [0, 1, 1, 0]: .leftMirrored, [0, 1, -1, 0]: .right, [0, -1, -1, 0]: .rightMirrored, [0, -1, 1, 0]: .left,
        ]
        let numbers = [a, b, c, d]
        guard numbers.allSatisfy({ abs($0 - $0.rounded()) < 0.01 && abs($0) < 2 }),
            let turn = turns[numbers.map { Int($0.rounded()) }]
        else { return nil }
        self = turn
    }

    /// Whether width and height change places.
    public var isSideways: Bool { rawValue > 4 }

    /// Width and height of the upright picture, from those of the stored one, or the other way round.
    public func turned(width: Int, height: Int) -> (width: Int, height: Int) {
        isSideways ? (height, width) : (width, height)
    }

    /// Where the pixel (x, y) of an upright picture is stored; `width` and `height` are those of the stored one.
    func stored(_ x: Int, _ y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        switch self {
        case .up: return (x, y)
        case .upMirrored: return (width - 1 - x, y)
        case .down: return (width - 1 - x, height - 1 - y)
        case .downMirrored: return (x, height - 1 - y)
        case .leftMirrored: return (y, x)
        case .right: return (y, height - 1 - x)
        case .rightMirrored: return (width - 1 - y, height - 1 - x)
        case .left: return (width - 1 - y, x)
        }
    }

    /// The stored part that is this part of the upright picture.
    public func stored(_ part: Crop, width: Int, height: Int) -> Crop {
        let one = stored(part.left, part.top, width: width, height: height)
        let other = stored(part.left + part.width - 1, part.top + part.height - 1, width: width, height: height)
        let size = turned(width: part.width, height: part.height)
        return Crop(left: min(one.x, other.x), top: min(one.y, other.y), width: size.width, height: size.height)
    }
}

/// A picture that stands upright, read from pixels that are stored as a camera holds them: nothing is copied.
public struct UprightPixels: PixelSource {
    private let pixels: Pixels
    private let orientation: PictureOrientation
    public let width: Int
    public let height: Int

    public init(_ pixels: Pixels, _ orientation: PictureOrientation) {
        (self.pixels, self.orientation) = (pixels, orientation)
        (width, height) = orientation.turned(width: pixels.width, height: pixels.height)
    }

    public func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32]) {
        // Along a row of the upright picture the stored pixel moves by a fixed step.
        let first = orientation.stored(0, 0, width: pixels.width, height: pixels.height)
        let second = orientation.stored(1, 0, width: pixels.width, height: pixels.height)
        let step = (second.y - first.y) * pixels.width + second.x - first.x
        argb.withUnsafeMutableBufferPointer { target in
            pixels.argb.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    let start = orientation.stored(left, top + y, width: pixels.width, height: pixels.height)
                    copyRow(
                        source.baseAddress!, start.y * pixels.width + start.x, step, target.baseAddress! + y * width,
                        width)
                }
            }
        }
    }

    /// The whole picture.
    public func whole() -> Pixels {
        if orientation == .up { return pixels }
        var argb = [UInt32](repeating: 0, count: width * height)
        read(left: 0, top: 0, width: width, height: height, into: &argb)
        return Pixels(width: width, height: height, argb: argb)
    }

    private func copyRow(
        _ source: UnsafePointer<UInt32>, _ from: Int, _ step: Int, _ target: UnsafeMutablePointer<UInt32>, _ count: Int
    ) {
        var (i, at) = (0, from)
        while i < count {
            target[i] = source[at]
            at &+= step
            i &+= 1
        }
    }
}
