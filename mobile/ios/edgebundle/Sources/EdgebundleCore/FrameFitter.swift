/// Brings a part of a frame of 32-bit pixels to the model's size: every target pixel is the mean of the source pixels it covers, and
/// the nearest one where it covers less than one. Fine patterns do not flicker that way.
public enum FrameFitter {
    /// `source` holds rows of `bytesPerRow` bytes of BGRA, `part` lies inside of it; `argb` gets width x height opaque pixels.
    public static func fit(
        _ source: UnsafeRawPointer, bytesPerRow: Int, part: Crop, width: Int, height: Int, into argb: inout [UInt32]
    ) {
        precondition(argb.count == width * height, "\(width) x \(height) pixels, not \(argb.count)")
        for y in 0..<height {
            let top = part.top + y * part.height / height
            let bottom = max(top + 1, part.top + (y + 1) * part.height / height)
            for x in 0..<width {
                let left = part.left + x * part.width / width
                let right = max(left + 1, part.left + (x + 1) * part.width / width)
                var (blue, green, red): (UInt32, UInt32, UInt32) = (0, 0, 0)
                for row in top..<bottom {
                    let line = source + row * bytesPerRow
                    for column in left..<right {
                        let word = UInt32(littleEndian: line.loadUnaligned(fromByteOffset: 4 * column, as: UInt32.self))
                        blue &+= word & 0xff
                        green &+= word &>> 8 & 0xff
                        red &+= word &>> 16 & 0xff
                    }
                }
                let count = UInt32((bottom - top) * (right - left))
                let half = count / 2
                // in parentheses: Swift shifts before it divides
                let (r, g, b) = ((red + half) / count, (green + half) / count, (blue + half) / count)
                argb[y * width + x] = 0xff00_0000 | r << 16 | g << 8 | b
            }
        }
    }
}
