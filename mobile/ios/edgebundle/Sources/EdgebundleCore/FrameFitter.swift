/// Brings a part of a frame of 32-bit pixels to the model's size: every target pixel is the mean of the source pixels it covers, and
/// the nearest one where it covers less than one. Fine patterns do not flicker that way.
public enum FrameFitter {
    /// `source` holds rows of `bytesPerRow` bytes of BGRA, `part` lies inside of it; `argb` gets width x height opaque pixels.
    public static func fit(
        _ source: UnsafeRawPointer, bytesPerRow: Int, part: Crop, width: Int, height: Int, into argb: inout [UInt32]
    ) {
        precondition(argb.count == width * height, "\(width) x \(height) pixels, not \(argb.count)")
        let edges = (0...width).map { part.left + $0 * part.width / width }
        argb.withUnsafeMutableBufferPointer { argb in
            edges.withUnsafeBufferPointer { edges in
                for y in 0..<height {
                    let top = part.top + y * part.height / height
                    let bottom = max(top + 1, part.top + (y + 1) * part.height / height)
                    fitRow(source + top * bytesPerRow, bytesPerRow, bottom - top, edges.baseAddress!, argb.baseAddress! + y * width, width)
                }
            }
        }
    }

    /// One row of the target from `rows` rows of the source; `edges` are the columns where its pixels begin.
    private static func fitRow(
        _ source: UnsafeRawPointer, _ bytesPerRow: Int, _ rows: Int, _ edges: UnsafePointer<Int>, _ target: UnsafeMutablePointer<UInt32>, _ width: Int
    ) {
        var x = 0
        while x < width {
            let left = edges[x]
            let columns = edges[x &+ 1] > left ? edges[x &+ 1] &- left : 1
            var (blue, green, red): (UInt32, UInt32, UInt32) = (0, 0, 0)
            var row = 0
            while row < rows {
                let line = (source + row &* bytesPerRow + 4 &* left).assumingMemoryBound(to: UInt32.self)
                var column = 0
                while column < columns {
                    let word = line[column]  // all systems of Swift that have a camera are little-endian
                    blue &+= word & 0xff
                    green &+= word &>> 8 & 0xff
                    red &+= word &>> 16 & 0xff
                    column &+= 1
                }
                row &+= 1
            }
            let count = UInt32(UInt(bitPattern: rows &* columns))
            let half = count / 2
            // in parentheses: Swift shifts before it divides
            let (r, g, b) = ((red &+ half) / count, (green &+ half) / count, (blue &+ half) / count)
            target[x] = 0xff00_0000 | r &<< 16 | g &<< 8 | b
            x &+= 1
        }
    }
}
