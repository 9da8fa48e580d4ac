/// Brings a part of a frame of 32-bit pixels to the model's size: every target pixel is the mean of the source pixels
/// it covers, and the nearest one where it covers less than one. Fine patterns do not flicker that way.
public enum FrameFitter {
    /// `source` holds rows of `bytesPerRow` bytes of BGRA, `part` lies inside of it; `argb` gets width x height opaque
    /// pixels.
    public static func fit(
        _ source: UnsafeRawPointer, bytesPerRow: Int, part: Crop, width: Int, height: Int, into argb: inout [UInt32]
    ) {
        precondition(argb.count == width * height, "\(width) x \(height) pixels, not \(argb.count)")
        let edges = (0...width).map { part.left + $0 * part.width / width }
        let columns = (0..<width).map { UInt32(max(1, edges[$0 + 1] - edges[$0])) }
        argb.withUnsafeMutableBufferPointer { argb in
            edges.withUnsafeBufferPointer { edges in
                columns.withUnsafeBufferPointer { columns in
                    for y in 0..<height {
                        let top = part.top + y * part.height / height
                        let rows = UInt32(max(1, part.top + (y + 1) * part.height / height - top))
                        fitRow(
                            source + top * bytesPerRow, bytesPerRow, rows, edges.baseAddress!, columns.baseAddress!,
                            argb.baseAddress! + y * width, width)
                    }
                }
            }
        }
    }

    /// One row of the target from `rows` rows of the source; `edges` are the columns where its pixels begin, `columns`
    /// how many each covers.
    private static func fitRow(
        _ source: UnsafeRawPointer, _ bytesPerRow: Int, _ rows: UInt32, _ edges: UnsafePointer<Int>,
        _ columns: UnsafePointer<UInt32>,
        _ target: UnsafeMutablePointer<UInt32>, _ width: Int
    ) {
        var x = 0
        while x < width {
            let (wide, count) = (columns[x], columns[x] &* rows)
            var (blue, green, red): (UInt32, UInt32, UInt32) = (0, 0, 0)
            var (row, start): (UInt32, UnsafeRawPointer) = (0, source + 4 &* edges[x])
            while row < rows {
                var (column, word): (UInt32, UnsafePointer<UInt32>) = (0, start.assumingMemoryBound(to: UInt32.self))
                while column < wide {
                    let pixel = word[0]  // all systems of Swift that have a camera are little-endian
                    blue &+= pixel & 0xff
                    green &+= pixel &>> 8 & 0xff
                    red &+= pixel &>> 16 & 0xff
                    column &+= 1
                    word += 1
                }
                row &+= 1
                start += bytesPerRow
            }
            let half = count / 2
            // in parentheses: Swift shifts before it divides
            let (r, g, b) = ((red &+ half) / count, (green &+ half) / count, (blue &+ half) / count)
            target[x] = 0xff00_0000 | r &<< 16 | g &<< 8 | b
            x &+= 1
        }
    }
}
