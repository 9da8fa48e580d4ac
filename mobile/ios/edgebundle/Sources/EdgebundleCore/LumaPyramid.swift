/// Values of a picture, row by row.
final class Plane {
    let width: Int
    let height: Int
    let values: Words

    init(_ width: Int, _ height: Int) {
        // A row and a pixel more than there are: a patch at the edge reads them at no weight.
        (self.width, self.height, values) = (width, height, Words(width * (height + 1) + 1))
    }
}

/// The luma of a frame at half its size, and halves of it. `depth` of its `levels` are large enough for optical flow,
/// the finest first; none for small pictures, of which there is the first level alone.
final class LumaPyramid {
    private static let most = 4
    private static let least = 16
    private let width: Int
    private let height: Int
    let levels: [Plane]
    let depth: Int

    init(_ width: Int, _ height: Int) {
        (self.width, self.height) = (width, height)
        var levels = [Plane((width + 1) / 2, (height + 1) / 2)]
        while let last = levels.last, levels.count < Self.most, min(last.width, last.height) / 2 >= Self.least {
            levels.append(Plane(last.width / 2, last.height / 2))
        }
        self.levels = levels
        depth = min(levels[0].width, levels[0].height) < Self.least ? 0 : levels.count
    }

    /// Takes a frame of the full size.
    func fill(_ argb: UnsafePointer<UInt32>) {
        let finest = levels[0]
        for y in 0..<finest.height {
            let upper = argb + 2 * y * width
            fillRow(
                upper, 2 * y + 1 < height ? upper + width : upper, finest.values.at + y * finest.width, finest.width)
        }
        for level in 1..<max(1, levels.count) { halve(levels[level - 1], levels[level]) }
    }

    private func fillRow(
        _ upper: UnsafePointer<UInt32>, _ lower: UnsafePointer<UInt32>, _ out: UnsafeMutablePointer<Int>, _ count: Int
    ) {
        var (x, left) = (0, 0)
        while x < count {
            let right = left &+ 1 < width ? left &+ 1 : left
            out[x] = luma(upper[left], upper[right], lower[left], lower[right])
            x &+= 1
            left &+= 2
        }
    }

    private func halve(_ from: Plane, _ to: Plane) {
        for y in 0..<to.height {
            let upper = UnsafePointer(from.values.at + 2 * y * from.width)
            halveRow(upper, upper + from.width, to.values.at + y * to.width, to.width)
        }
    }

    private func halveRow(
        _ upper: UnsafePointer<Int>, _ lower: UnsafePointer<Int>, _ out: UnsafeMutablePointer<Int>, _ count: Int
    ) {
        var (x, at) = (0, 0)
        while x < count {
            out[x] = (upper[at] &+ upper[at &+ 1] &+ lower[at] &+ lower[at &+ 1] &+ 2) &>> 2
            x &+= 1
            at &+= 2
        }
    }
}

/// Of four pixels: sums of four bytes stay apart in one word, red and blue together, then green.
@_transparent
private func luma(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> Int {
    let odd = (a & 0xff00ff) &+ (b & 0xff00ff) &+ (c & 0xff00ff) &+ (d & 0xff00ff)
    let upper = (a &>> 8 & 0xff) &+ (b &>> 8 & 0xff)
    let green = upper &+ (c &>> 8 & 0xff) &+ (d &>> 8 & 0xff)
    return index((77 &* (odd &>> 16) &+ 150 &* green &+ 29 &* (odd & 0xffff) &+ 512) &>> 10)
}
