/// A picture that is read piece by piece.
public protocol PixelSource {
    var width: Int { get }
    var height: Int { get }

    /// Writes the pixels of a part that lies inside the picture into `argb`, row by row from its start.
    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32])
}

/// Renders pictures that are larger than a model's input, by the algorithm of docs/formats/tiling.md: tiles that
/// overlap, each rendered by itself. The outermost `margin` source pixels of a tile, whose surroundings the network did
/// not see, are not used beside another tile; over the next `band` the tile takes over from the one before. Memory is
/// two bands of tiles, whatever the picture's height.
public struct Tiler {
    /// Source pixels over which a tile takes over from the one before; docs/formats/tiling.md says why.
    private static let usualBand = 8
    /// A tile moves on by at least this part of its side: otherwise a picture takes over 16 times the work of its
    /// pixels.
    private static let leastStep = 4

    private let tileWidth: Int
    private let tileHeight: Int
    private let scale: Int
    let margin: Int
    let band: Int
    let multiple: Int

    public init(tileWidth: Int, tileHeight: Int, scale: Int, margin: Int, band: Int, multiple: Int = 1) {
        precondition(
            tileWidth > 0 && tileHeight > 0 && scale > 0,
            "tiles of \(tileWidth) x \(tileHeight) by \(scale) are not possible")
        precondition(
            margin >= 0 && band >= 0 && multiple > 0,
            "a margin of \(margin), a band of \(band) and steps of \(multiple) are not possible")
        (self.tileWidth, self.tileHeight, self.scale) = (tileWidth, tileHeight, scale)
        (self.margin, self.band, self.multiple) = (margin, band, multiple)
        precondition(
            step(min(tileWidth, tileHeight)) > 0,
            "these tiles have no room for a margin of \(margin) and a band of \(band)")
    }

    /// Tiles of a network's input by the facts of its bundle. Throws `BundleError` for networks that cannot work in
    /// tiles.
    public init(_ input: TensorSpec, scale: Int, _ tiling: Tiling?) throws {
        if let tiling, !tiling.allowed {
            throw BundleError(
                "this network cannot work in tiles (\(tiling.reason ?? "it does not say why")); use it at its own size."
            )
        }
        let side = min(input.width, input.height)
        guard let margin = tiling?.overlap else {
            self.init(
                tileWidth: input.width, tileHeight: input.height, scale: scale, margin: 0,
                band: side / Self.leastStep / 2)
            return
        }
        let multiple = tiling?.multiple ?? 1
        let room = side - 2 * margin - Self.usualBand
        if room < multiple || Self.leastStep * (room / multiple * multiple) < side {
            throw BundleError(
                "this network needs \(margin) pixels around each tile, too many for tiles of \(side); use it at its own size."
            )
        }
        self.init(
            tileWidth: input.width, tileHeight: input.height, scale: scale, margin: margin, band: Self.usualBand,
            multiple: multiple)
    }

    /// How many tiles a picture takes.
    public func tiles(width: Int, height: Int) -> Int {
        starts(width, tileWidth).count * starts(height, tileHeight).count
    }

    /// Renders `source`. `render` turns a tile's pixels into its output's; `write` takes finished rows (`top`, `rows`,
    /// their pixels) from the top down; `check` is called before each tile and ends the work by throwing.
    public func run(
        _ source: some PixelSource,
        check: () throws -> Void = {},
        render: (_ tile: [UInt32], _ into: inout [UInt32]) throws -> Void,
        write: (_ top: Int, _ rows: Int, _ argb: ArraySlice<UInt32>) throws -> Void
    ) throws {
        let columns = starts(source.width, tileWidth)
        let rows = starts(source.height, tileHeight)
        let bandWidth = source.width * scale
        var tile = [UInt32](repeating: 0, count: tileWidth * tileHeight)
        var rendered = [UInt32](repeating: 0, count: tileWidth * scale * tileHeight * scale)
        var whole = [UInt32](repeating: 0, count: bandWidth * min(tileHeight, source.height) * scale)
        var fresh = whole
        for (row, top) in rows.enumerated() {
            for (column, left) in columns.enumerated() {
                try check()
                fill(&tile, from: source, left: left, top: top)
                try render(tile, &rendered)
                put(rendered, beside: &fresh, bandWidth, left: left * scale, isFirst: column == 0)
            }
            put(fresh, below: &whole, bandWidth, isFirst: row == 0)
            let next = row + 1 < rows.count ? rows[row + 1] : source.height
            let done = (next - top) * scale
            try write(top * scale, done, whole[0..<done * bandWidth])
            // What the next tiles overlap stays, moved to the top.
            let kept = whole.count - done * bandWidth
            for i in 0..<kept { whole[i] = whole[i + done * bandWidth] }
        }
    }

    /// Where tiles start along one side, at multiples of `multiple`; the last one ends at the picture's edge or just
    /// behind it.
    func starts(_ size: Int, _ tile: Int) -> [Int] {
        if size <= tile { return [0] }
        let by = step(tile)
        let last = (size - tile + multiple - 1) / multiple * multiple
        return (0..<(last + by - 1) / by + 1).map { min($0 * by, last) }
    }

    /// From the start of one tile to the next.
    private func step(_ tile: Int) -> Int { (tile - 2 * margin - band) / multiple * multiple }

    private func fill(_ tile: inout [UInt32], from source: some PixelSource, left: Int, top: Int) {
        let width = min(tileWidth, source.width - left)
        let height = min(tileHeight, source.height - top)
        source.read(left: left, top: top, width: width, height: height, into: &tile)
        if width < tileWidth {
            for y in stride(from: height - 1, through: 0, by: -1) {
                // from the end, so that a row that is moved is not overwritten before
                for x in stride(from: tileWidth - 1, through: 0, by: -1) {
                    tile[y * tileWidth + x] = tile[y * width + min(x, width - 1)]
                }
            }
        }
        for y in height..<max(height, tileHeight) {
            for x in 0..<tileWidth { tile[y * tileWidth + x] = tile[(height - 1) * tileWidth + x] }
        }
    }

    /// Puts a rendered tile into its band; behind another tile it takes over from that one.
    private func put(_ rendered: [UInt32], beside target: inout [UInt32], _ targetWidth: Int, left: Int, isFirst: Bool)
    {
        let width = min(tileWidth * scale, targetWidth - left)
        for y in 0..<target.count / targetWidth {
            var from = y * tileWidth * scale
            var to = y * targetWidth + left
            for x in 0..<width {
                let weight = isFirst ? Blend.one : weightAt(x)
                target[to] = weight == Blend.one ? rendered[from] : Blend.pixel(target[to], rendered[from], weight)
                from += 1
                to += 1
            }
        }
    }

    /// Puts a whole band of tiles over the one before, from which it takes over.
    private func put(_ fresh: [UInt32], below target: inout [UInt32], _ targetWidth: Int, isFirst: Bool) {
        for y in 0..<target.count / targetWidth {
            let weight = isFirst ? Blend.one : weightAt(y)
            for at in y * targetWidth..<(y + 1) * targetWidth {
                target[at] = weight == Blend.one ? fresh[at] : Blend.pixel(target[at], fresh[at], weight)
            }
        }
    }

    /// Weight of a tile behind another at its output pixel `at`: 0 in the margin, rising over the band, then whole.
    private func weightAt(_ at: Int) -> UInt32 {
        let (into, rising) = (at - margin * scale, band * scale)
        if into < 0 { return 0 }
        return into >= rising ? Blend.one : UInt32((2 * into + 1) * Int(Blend.one) / (2 * rising))
    }
}

extension Pixels: PixelSource {
    public func read(left: Int, top: Int, width: Int, height: Int, into target: inout [UInt32]) {
        for y in 0..<height {
            let from = (top + y) * self.width + left
            for x in 0..<width { target[y * width + x] = argb[from + x] }
        }
    }
}
