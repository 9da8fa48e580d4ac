/// A picture that is read piece by piece.
public protocol PixelSource {
    var width: Int { get }
    var height: Int { get }

    /// Writes the pixels of a part that lies inside the picture into `argb`, row by row from its start.
    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32])
}

/// Renders pictures that are larger than a model's input: tiles that overlap by `overlap` pixels, each rendered by itself, mixed
/// linearly where they overlap, so that no seam shows. Memory is one band of tiles, whatever the height of the picture.
///
/// A picture smaller than a tile is continued by its edge pixels. Networks that normalise over the whole picture (instance norm)
/// see a tile at a time: their colours may differ between distant tiles, which a larger overlap softens.
public struct Tiler {
    private let tileWidth: Int
    private let tileHeight: Int
    private let scale: Int
    private let overlap: Int

    public init(tileWidth: Int, tileHeight: Int, scale: Int, overlap: Int) {
        precondition(tileWidth > 0 && tileHeight > 0 && scale > 0, "tiles of \(tileWidth) x \(tileHeight) by \(scale) are not possible")
        precondition((0...min(tileWidth, tileHeight) / 2).contains(overlap), "an overlap of \(overlap) does not fit these tiles")
        (self.tileWidth, self.tileHeight, self.scale, self.overlap) = (tileWidth, tileHeight, scale, overlap)
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
        for (row, top) in rows.enumerated() {
            let above = row == 0 ? 0 : rows[row - 1] + tileHeight - top
            for (column, left) in columns.enumerated() {
                try check()
                fill(&tile, from: source, left: left, top: top)
                try render(tile, &rendered)
                let before = column == 0 ? 0 : columns[column - 1] + tileWidth - left
                merge(rendered, into: &band, bandWidth, left: left, before: before * scale, above: above * scale, source.width, source.height)
            }
            let next = row + 1 < rows.count ? rows[row + 1] : source.height
            let done = (next - top) * scale
            try write(top * scale, done, band[0..<done * bandWidth])
            // What the next tiles overlap stays, moved to the top.
            let kept = band.count - done * bandWidth
            for i in 0..<kept { band[i] = band[i + done * bandWidth] }
        }
    }

    /// Where tiles start along one side: evenly overlapping, the last one ending at the picture's edge.
    private func starts(_ size: Int, _ tile: Int) -> [Int] {
        if size <= tile { return [0] }
        let step = tile - overlap
        let count = (size - tile + step - 1) / step + 1
        return (0..<count).map { min($0 * step, size - tile) }
    }

    private func fill(_ tile: inout [UInt32], from source: some PixelSource, left: Int, top: Int) {
        let width = min(tileWidth, source.width)
        let height = min(tileHeight, source.height)
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

    /// Mixes the rendered tile into the band: its first `before` columns and `above` rows (in output pixels) gradually.
    private func merge(
        _ rendered: [UInt32], into band: inout [UInt32], _ bandWidth: Int, left: Int, before: Int, above: Int, _ sourceWidth: Int, _ sourceHeight: Int
    ) {
        let width = min(tileWidth, sourceWidth) * scale
        let height = min(tileHeight, sourceHeight) * scale
        for y in 0..<height {
            let fromTop = ramp(y, above)
            var from = y * tileWidth * scale
            var to = y * bandWidth + left * scale
            for x in 0..<width {
                let weight = ramp(x, before) * fromTop / Blend.one
                band[to] = weight == Blend.one ? rendered[from] : Blend.pixel(band[to], rendered[from], weight)
                from += 1
                to += 1
            }
        }
    }

    private func ramp(_ at: Int, _ length: Int) -> UInt32 {
        at >= length ? Blend.one : UInt32((2 * at + 1) * Int(Blend.one) / (2 * length))
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
