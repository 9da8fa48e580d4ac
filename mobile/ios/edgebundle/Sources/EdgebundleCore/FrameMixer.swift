/// Styles the frames between two runs of the network: what the network changed in the last key frame is added to the
/// present frame, less where the present frame differs from the key frame, so that what moves does not leave a ghost.
///
/// Pictures may be asked for at 1/divisor of the frames' width and height.
public struct FrameMixer: Sendable {
    private let width: Int
    private let height: Int
    private var before: [UInt32]
    private var after: [UInt32]

    public init(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        before = [UInt32](repeating: 0, count: width * height)
        after = before
    }

    /// The size of pictures at a divisor.
    public func size(_ divisor: Int) -> (width: Int, height: Int) {
        (max(1, width / divisor), max(1, height / divisor))
    }

    /// Keeps a key frame and what the network made of it; both of the full size.
    public mutating func key(_ frame: [UInt32], styled: [UInt32]) {
        precondition(
            frame.count == width * height && styled.count == width * height,
            "key frames have \(width) x \(height) pixels")
        before = frame
        after = styled
    }

    /// The styled picture of a frame of the full size, at a divisor.
    public func mix(_ frame: [UInt32], divisor: Int = 1) -> [UInt32] {
        precondition(
            frame.count == width * height,
            "a frame of \(frame.count) pixels does not fit key frames of \(width) x \(height)")
        return picture(divisor) { out, columns, rows in
            frame.withUnsafeBufferPointer { frame in
                before.withUnsafeBufferPointer { before in
                    after.withUnsafeBufferPointer { after in
                        mixRows(
                            frame.baseAddress!, before.baseAddress!, after.baseAddress!, out, columns, rows, divisor)
                    }
                }
            }
        }
    }

    /// The last key frame's styled picture at a divisor.
    public func key(divisor: Int = 1) -> [UInt32] {
        if divisor == 1 { return after }
        return picture(divisor) { out, columns, rows in
            after.withUnsafeBufferPointer { after in
                for y in 0..<rows { for x in 0..<columns { out[y * columns + x] = after[(y * width + x) * divisor] } }
            }
        }
    }

    private func picture(_ divisor: Int, _ fill: (UnsafeMutablePointer<UInt32>, _ columns: Int, _ rows: Int) -> Void)
        -> [UInt32]
    {
        let (columns, rows) = size(divisor)
        return [UInt32](unsafeUninitializedCapacity: columns * rows) { out, count in
            fill(out.baseAddress!, columns, rows)
            count = columns * rows
        }
    }

    private func mixRows(
        _ frame: UnsafePointer<UInt32>, _ before: UnsafePointer<UInt32>, _ after: UnsafePointer<UInt32>,
        _ out: UnsafeMutablePointer<UInt32>,
        _ columns: Int, _ rows: Int, _ divisor: Int
    ) {
        var (y, to) = (0, 0)
        while y < rows {
            var (x, from) = (0, y &* divisor &* width)
            while x < columns {
                out[to] = mixed(frame[from], before[from], after[from])
                x &+= 1
                to &+= 1
                from &+= divisor
            }
            y &+= 1
        }
    }
}

/// Sum of the three channels' differences from which on a pixel shows something else than in the key frame: 192.
@_transparent
private func mixed(_ now: UInt32, _ was: UInt32, _ styled: UInt32) -> UInt32 {
    let moved = difference(now, was, 16) &+ difference(now, was, 8) &+ difference(now, was, 0)
    let weight: Int32 = moved >= 192 ? 0 : 192 &- moved
    return 0xff00_0000 | channel(now, was, styled, weight, 16) | channel(now, was, styled, weight, 8)
        | channel(now, was, styled, weight, 0)
}

@_transparent
private func difference(_ one: UInt32, _ other: UInt32, _ shift: UInt32) -> Int32 {
    let difference = Int32(bitPattern: one &>> shift & 0xff) &- Int32(bitPattern: other &>> shift & 0xff)
    return difference < 0 ? 0 &- difference : difference
}

/// `now + (styled - was) * weight / 192`, clamped. The division, towards zero, is a product: 87382 = ceil(2^24 / 192),
/// exact up to 255 * 192, and a division by a constant is slow in debug builds.
@_transparent
private func channel(_ now: UInt32, _ was: UInt32, _ styled: UInt32, _ weight: Int32, _ shift: UInt32) -> UInt32 {
    let change = (Int32(bitPattern: styled &>> shift & 0xff) &- Int32(bitPattern: was &>> shift & 0xff)) &* weight
    let size = Int32(bitPattern: (UInt32(bitPattern: change < 0 ? 0 &- change : change) &* 87382) &>> 24)
    let value = Int32(bitPattern: now &>> shift & 0xff) &+ (change < 0 ? 0 &- size : size)
    return UInt32(bitPattern: value < 0 ? 0 : value > 255 ? 255 : value) &<< shift
}
