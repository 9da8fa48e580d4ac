/// A picture that is read piece by piece.
public protocol PixelSource {
    var width: Int { get }
    var height: Int { get }

    /// Writes the pixels of a part that lies inside the picture into `argb`, row by row from its start.
    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32])
}

/// Renders pictures that are larger than a model's input: tiles that overlap by `overlap` pixels, each rendered by itself, mixed
/// linearly where they overlap but for the outermost `margin` pixels, whose surroundings the network did not see, so that no seam
/// shows. Memory is two bands of tiles, whatever the height of the picture.
///
/// A picture smaller than a tile is continued by its edge pixels. Networks that normalise over the whole picture (instance norm)
/// see a tile at a time: their colours may differ between distant tiles, which a larger overlap softens.
public struct Tiler {
    private let tileWidth: Int
    private let tileHeight: Int
    private let scale: Int
    private let overlap: Int
    private let margin: Int
    private let multiple: Int

    public init(tileWidth: Int, tileHeight: Int, scale: Int, overlap: Int, margin: Int = 0, multiple: Int = 1) {
        precondition(tileWidth > 0 && tileHeight > 0 && scale > 0, "tiles of \(tileWidth) x \(tileHeight) by \(scale) are not possible")
        precondition((0...min(tileWidth, tileHeight) / 2).contains(overlap), "an overlap of \(overlap) does not fit these tiles")
        precondition(2 * margin <= overlap, "an overlap of \(overlap) has no room for margins of \(margin)")
        precondition(multiple == 1 || (1...min(tileWidth, tileHeight) / 2).contains(multiple), "these tiles cannot start at multiples of \(multiple)")
        (self.tileWidth, self.tileHeight, self.scale) = (tileWidth, tileHeight, scale)
        (self.overlap, self.margin, self.multiple) = (overlap, margin, multiple)
    }

    /// Tiles of a network's input by the facts of the bundle; where it has none they overlap by an eighth of their shorter side.
    /// Throws `BundleError` for networks that cannot work in tiles.
    public init(_ input: TensorSpec, scale: Int, _ tiling: Tiling?) throws {
        if let tiling, !tiling.allowed {
            throw BundleError("this network cannot work in tiles (\(tiling.reason ?? "it does not say why")); use stylize.")
        }
        let shorter = min(input.width, input.height)
        guard let margin = tiling?.overlap else {
            self.init(tileWidth: input.width, tileHeight: input.height, scale: scale, overlap: shorter / 8)
            return
        }
        if 4 * margin > shorter {
            throw BundleError("this network needs \(margin) pixels around each tile, too much for its \(input.width) x \(input.height); use stylize.")
        }
        self.init(
            tileWidth: input.width, tileHeight: input.height, scale: scale, overlap: 2 * margin, margin: margin, multiple: tiling?.multiple ?? 1)
    }

    /// How many tiles a picture takes.
    public func tiles(width: Int, height: Int) -> Int { starts(width, tileWidth).count * starts(height, tileHeight).count }

    /// Renders `source`. `render` turns a tile's pixels into its output's; `write` takes finished rows (`top`, `rows`, their pixels)
    /// from the top down; `check` is called before each tile and ends the work by throwing.
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
        var band = [UInt32](repeating: 0, count: bandWidth * min(tileHeight, source.height) * scale)
        var fresh = band
        for (row, top) in rows.enumerated() {
            let above = row == 0 ? 0 : rows[row - 1] + tileHeight - top
            for (column, left) in columns.enumerated() {
                try check()
                fill(&tile, from: source, left: left, top: top)
                try render(tile, &rendered)
                let before = column == 0 ? 0 : columns[column - 1] + tileWidth - left
                put(rendered, beside: &fresh, bandWidth, left: left * scale, before: before * scale)
            }
            put(fresh, below: &band, bandWidth, above: above * scale)
            let next = row + 1 < rows.count ? rows[row + 1] : source.height
            let done = (next - top) * scale
            try write(top * scale, done, band[0..<done * bandWidth])
            // What the next tiles overlap stays, moved to the top.
            let kept = band.count - done * bandWidth
            for i in 0..<kept { band[i] = band[i + done * bandWidth] }
        }
    }

    /// Where tiles start along one side, at multiples of `multiple`; the last one ends at the picture's edge or just behind it.
    private func starts(_ size: Int, _ tile: Int) -> [Int] {
        if size <= tile { return [0] }
        let step = (tile - overlap) / multiple * multiple
        let last = (size - tile + multiple - 1) / multiple * multiple
        return (0..<(last + step - 1) / step + 1).map { min($0 * step, last) }
    }

    private func fill(_ tile: inout [UInt32], from source: some PixelSource, left: Int, top: Int) {
        let width = min(tileWidth, source.width - left)
        let height = min(tileHeight, source.height - top)
        source.read(left: left, top: top, width: width, height: height, into: &tile)
        if width < tileWidth {
            for y in stride(from: height - 1, through: 0, by: -1) {
                // from the end, so that a row that is moved is not overwritten before
                for x in stride(from: tileWidth - 1, through: 0, by: -1) { tile[y * tileWidth + x] = tile[y * width + min(x, width - 1)] }
            }
        }
        for y in height..<max(height, tileHeight) {
            for x in 0..<tileWidth { tile[y * tileWidth + x] = tile[(height - 1) * tileWidth + x] }
        }
    }

    /// Puts a rendered tile into its band, its first `before` columns mixed gradually with the tile on its left.
    private func put(_ rendered: [UInt32], beside band: inout [UInt32], _ bandWidth: Int, left: Int, before: Int) {
        let width = min(tileWidth * scale, bandWidth - left)
        for y in 0..<band.count / bandWidth {
            var from = y * tileWidth * scale
            var to = y * bandWidth + left
            for x in 0..<width {
                let weight = ramp(x, before)
                band[to] = weight == Blend.one ? rendered[from] : Blend.pixel(band[to], rendered[from], weight)
                from += 1
                to += 1
            }
        }
    }

    /// Puts a whole band over the one before, its first `above` rows mixed gradually with what they overlap.
    private func put(_ fresh: [UInt32], below band: inout [UInt32], _ bandWidth: Int, above: Int) {
        for y in 0..<band.count / bandWidth {
            let weight = ramp(y, above)
            for at in y * bandWidth..<(y + 1) * bandWidth { band[at] = weight == Blend.one ? fresh[at] : Blend.pixel(band[at], fresh[at], weight) }
        }
    }

    /// Weight of a tile at its pixel `at` of `length` that it shares: 0 in the first margin, then rising, whole in the last one.
    private func ramp(_ at: Int, _ length: Int) -> UInt32 {
        if at >= length { return Blend.one }
        let (rising, into) = (length - 2 * margin * scale, at - margin * scale)
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
