/// Finds one patch of 8 x 8 pixels in the picture before: `take` it, `start` from one or more places, `walk`, and read
/// `u` and `v`, in 1/64 pixel. The step is Gauss and Newton's with the patch's own slopes; brightness may change.
final class PatchSearch {
    static let side = 8
    private static let one = 64
    private static let far = side * one
    /// An error of half a level of luma: nothing is to be searched.
    private static let calm = 4096
    private static let damping = 16

    private let own = Words(64)
    private let slopesX = Words(64)
    private let slopesY = Words(64)
    private var before: UnsafePointer<Int>?
    private var width = 0
    private var (left, top) = (0, 0)
    private var (mostX, mostY) = (0, 0)
    private var (xx, xy, yy) = (0, 0, 0)
    private var (sumX, sumY) = (0, 0)
    private var hasStarted = false
    private var best = Look()

    /// What a place was found to be.
    private struct Look {
        var (x, y) = (0, 0)
        var (error, alongX, alongY) = (0, 0, 0)
    }

    /// The motion that was found.
    var u: Int { best.x - Self.one * left }
    var v: Int { best.y - Self.one * top }

    /// The patch of `now` at (`left`, `top`).
    func take(_ now: Plane, _ before: Plane, left: Int, top: Int) {
        (self.before, self.left, self.top, width) = (UnsafePointer(before.values.at), left, top, now.width)
        (mostX, mostY) = (Self.one * (now.width - Self.side), Self.one * (now.height - Self.side))
        hasStarted = false
        measure(now.values.at, now.height)
        (xx, yy) = (xx + Self.damping, yy + Self.damping)
    }

    private func measure(_ values: UnsafePointer<Int>, _ height: Int) {
        let (own, slopesX, slopesY) = (own.at, slopesX.at, slopesY.at)
        let (left, top, width) = (left, top, width)
        var (sxx, sxy, syy, sx, sy, i) = (0, 0, 0, 0, 0, 0)
        var y = top
        while y < top &+ 8 {
            let row = y &* width
            let above = y > 0 ? row &- width : row
            let below = y &+ 1 < height ? row &+ width : row
            var x = left
            while x < left &+ 8 {
                let right = x &+ 1 < width ? x &+ 1 : x
                let gx = values[row &+ right] &- values[row &+ (x > 0 ? x &- 1 : x)]
                let gy = values[below &+ x] &- values[above &+ x]
                own[i] = values[row &+ x] &<< 4
                slopesX[i] = gx
                slopesY[i] = gy
                sxx &+= gx &* gx
                sxy &+= gx &* gy
                syy &+= gy &* gy
                sx &+= gx
                sy &+= gy
                i &+= 1
                x &+= 1
            }
            y &+= 1
        }
        (xx, xy, yy, sumX, sumY) = (sxx, sxy, syy, sx, sy)
    }

    /// A motion to begin with; the best of all of them is taken.
    func start(_ u: Int, _ v: Int) {
        let (x, y) = (within(Self.one * left + u, mostX), within(Self.one * top + v, mostY))
        if hasStarted && x == best.x && y == best.y { return }
        let found = look(x, y)
        if !hasStarted || found.error < best.error { best = found }
        hasStarted = true
    }

    /// Some steps from there; the best place on the way counts, unless it is farther than the patch is wide.
    func walk(_ steps: Int) {
        if best.error <= Self.calm { return }
        let determinant = xx * yy - xy * xy
        let first = best
        var here = best
        for _ in 0..<steps {
            let x = within(here.x - 8 * (yy * here.alongX - xy * here.alongY) / determinant, mostX)
            let y = within(here.y - 8 * (xx * here.alongY - xy * here.alongX) / determinant, mostY)
            here = look(x, y)
            let isNear = abs(x - first.x) <= Self.far && abs(y - first.y) <= Self.far
            if here.error < best.error && isNear { best = here }
        }
    }

    /// Compares the patch with the picture before at a place.
    private func look(_ x: Int, _ y: Int) -> Look {
        guard let before else { return Look() }
        let (fx, fy) = (x & 63, y & 63)
        let (topLeft, topRight, bottomLeft, bottomRight) = (
            (64 - fx) * (64 - fy), fx * (64 - fy), (64 - fx) * fy, fx * fy
        )
        let (own, slopesX, slopesY, width) = (own.at, slopesX.at, slopesY.at, width)
        var upperRow = before + (y >> 6) * width + (x >> 6)
        var (total, squares, sx, sy, i) = (0, 0, 0, 0, 0)
        while i < 64 {
            let lowerRow = upperRow + width
            var (upper, lower, column) = (upperRow[0], lowerRow[0], 1)
            while column <= 8 {
                let (nextUpper, nextLower) = (upperRow[column], lowerRow[column])
                let above = upper &* topLeft &+ nextUpper &* topRight
                let apart = ((above &+ lower &* bottomLeft &+ nextLower &* bottomRight) &>> 8) &- own[i]
                total &+= apart
                squares &+= apart &* apart
                sx &+= slopesX[i] &* apart
                sy &+= slopesY[i] &* apart
                upper = nextUpper
                lower = nextLower
                i &+= 1
                column &+= 1
            }
            upperRow = lowerRow
        }
        return Look(
            x: x, y: y, error: squares - total * total / 64, alongX: sx - sumX * total / 64,
            alongY: sy - sumY * total / 64)
    }
}
