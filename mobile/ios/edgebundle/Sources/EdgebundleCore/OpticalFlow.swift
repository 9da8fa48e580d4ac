/// Where each part of a frame was in the frame before, by inverse search over patches of 8 x 8 pixels from the coarsest
/// luma to the finest ("Fast Optical Flow using Dense Inverse Search", Kroeger et al., 2016). Whole numbers throughout:
/// Kotlin and scripts/vectors/carrying.py give the same. Nothing is allocated per frame.
final class OpticalFlow {
    fileprivate static let stride = 4
    private static let leastSteps = 3
    private let grids: [MotionGrid]
    private let search = PatchSearch()
    private let width: Int
    private let height: Int
    private let across: [Int]
    private let down: [Int]

    init(_ shape: LumaPyramid) {
        grids = shape.levels.prefix(shape.depth).map { MotionGrid($0.width, $0.height) }
        (width, height) = (shape.levels[0].width, shape.levels[0].height)
        // where pixels lie between the centres of patches, in 1/8 of their distance
        func axis(_ size: Int, _ count: Int) -> [Int] {
            (0..<size).map { within(2 * $0 - PatchSearch.side + 1, 2 * Self.stride * (count - 1)) }
        }
        across = axis(width, grids.first?.columns ?? 1)
        down = axis(height, grids.first?.rows ?? 1)
    }

    /// Motion of each pixel of the finest luma of `now` to its place in `before`, in 1/64 of its pixels.
    func follow(_ now: LumaPyramid, _ before: LumaPyramid, u: Words, v: Words) {
        for level in grids.indices.reversed() { follow(now.levels[level], before.levels[level], level) }
        spread(grids[0].u, u)
        spread(grids[0].v, v)
    }

    private func follow(_ now: Plane, _ before: Plane, _ level: Int) {
        let grid = grids[level]
        let coarser = level + 1 < grids.count ? grids[level + 1] : nil
        for row in 0..<grid.rows {
            for column in 0..<grid.columns {
                let at = row * grid.columns + column
                search.take(now, before, left: Self.stride * column, top: Self.stride * row)
                if let coarser {
                    let from = min(row / 2, coarser.rows - 1) * coarser.columns + min(column / 2, coarser.columns - 1)
                    search.start(2 * coarser.u.at[from], 2 * coarser.v.at[from])
                }
                search.start(0, 0)
                if level == 0 { search.start(grid.u.at[at], grid.v.at[at]) }  // its motion since the frame before
                search.walk(level + Self.leastSteps)
                grid.rawU.at[at] = search.u
                grid.rawV.at[at] = search.v
            }
        }
        grid.smooth()
    }

    /// The grid's values between the centres of its patches.
    private func spread(_ grid: Words, _ out: Words) {
        let (columns, rows) = (grids[0].columns, grids[0].rows)
        across.withUnsafeBufferPointer { across in
            for y in 0..<height {
                let row = down[y] >> 3
                spreadRow(
                    grid.at + row * columns, grid.at + min(row + 1, rows - 1) * columns, down[y] & 7,
                    across.baseAddress!, columns, out.at + y * width)
            }
        }
    }

    private func spreadRow(
        _ upper: UnsafePointer<Int>, _ lower: UnsafePointer<Int>, _ fy: Int, _ across: UnsafePointer<Int>,
        _ columns: Int, _ out: UnsafeMutablePointer<Int>
    ) {
        var x = 0
        while x < width {
            let (left, fx) = (across[x] &>> 3, across[x] & 7)
            let right = left &+ 1 < columns ? left &+ 1 : left
            let above = upper[left] &* (8 &- fx) &+ upper[right] &* fx
            let below = lower[left] &* (8 &- fx) &+ lower[right] &* fx
            out[x] = (above &* (8 &- fy) &+ below &* fy &+ 32) &>> 6
            x &+= 1
        }
    }
}

/// One motion for each patch of a level.
private final class MotionGrid {
    let columns: Int
    let rows: Int
    let u: Words
    let v: Words
    let rawU: Words
    let rawV: Words
    private let near = Words(9)

    init(_ width: Int, _ height: Int) {
        columns = (width - PatchSearch.side) / OpticalFlow.stride + 1
        rows = (height - PatchSearch.side) / OpticalFlow.stride + 1
        (u, v, rawU, rawV) = (
            Words(columns * rows), Words(columns * rows), Words(columns * rows), Words(columns * rows)
        )
    }

    /// The median of each 3 x 3 of what was found: one patch that went astray counts for nothing.
    func smooth() {
        smooth(rawU.at, u.at)
        smooth(rawV.at, v.at)
    }

    private func smooth(_ from: UnsafePointer<Int>, _ to: UnsafeMutablePointer<Int>) {
        for row in 0..<rows {
            for column in 0..<columns { to[row * columns + column] = median(from, row, column) }
        }
    }

    private func median(_ from: UnsafePointer<Int>, _ row: Int, _ column: Int) -> Int {
        let near = near.at
        var (count, y) = (0, row &- 1)
        while y <= row &+ 1 {
            let line = within(y, rows &- 1) &* columns
            var x = column &- 1
            while x <= column &+ 1 {
                let value = from[line &+ within(x, columns &- 1)]
                var place = count
                while place > 0 && near[place &- 1] > value {
                    near[place] = near[place &- 1]
                    place &-= 1
                }
                near[place] = value
                count &+= 1
                x &+= 1
            }
            y &+= 1
        }
        return near[4]
    }
}
