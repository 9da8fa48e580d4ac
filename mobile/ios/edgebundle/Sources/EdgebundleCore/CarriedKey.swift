/// A frame that the network was given, what it made of it, and the way back to it from the present frame.
final class CarriedKey {
    /// The belief in a way that is certain.
    static let full = 16
    let width: Int
    let height: Int
    var frame: [UInt32]
    var styled: [UInt32]
    private let luma: Words
    /// For each block of 2 x 2 pixels of the present frame: how far away it was in this one, in 1/32 pixel.
    private(set) var u: Words
    private(set) var v: Words
    private var nextU: Words
    private var nextV: Words
    /// How much the way is believed, 0 to `full`, for each block.
    let belief: Words

    /// `width` and `height` of the luma, half of the frame's.
    init(_ width: Int, _ height: Int) {
        (self.width, self.height, frame, styled) = (width, height, [], [])
        func words() -> Words { Words(width * height) }
        (luma, u, v, nextU, nextV, belief) = (words(), words(), words(), words(), words(), words())
    }

    /// The present frame becomes this key.
    func take(_ argb: [UInt32], _ luma: Words) {
        frame = argb
        self.luma.copy(luma)
        u.clear()
        v.clear()
    }

    /// The next frame came, which lies `fu`, `fv` from the one before.
    func follow(_ fu: Words, _ fv: Words) {
        for y in 0..<height { followRow(y, fu.at, fv.at, u.at, v.at, nextU.at, nextV.at) }
        swap(&u, &nextU)
        swap(&v, &nextV)
    }

    private func followRow(
        _ y: Int, _ fu: UnsafePointer<Int>, _ fv: UnsafePointer<Int>, _ u: UnsafePointer<Int>, _ v: UnsafePointer<Int>,
        _ nextU: UnsafeMutablePointer<Int>, _ nextV: UnsafeMutablePointer<Int>
    ) {
        var (x, at) = (0, y &* width)
        while x < width {
            let row = within((64 &* y &+ fv[at] &+ 32) &>> 6, height &- 1)
            let from = row &* width &+ within((64 &* x &+ fu[at] &+ 32) &>> 6, width &- 1)
            nextU[at] = fu[at] &+ u[from]
            nextV[at] = fv[at] &+ v[from]
            x &+= 1
            at &+= 1
        }
    }

    /// Believes the way where it leads to the same luma as `now`.
    func believe(_ now: Words) {
        for y in 0..<height { believeRow(y, now.at, luma.at, u.at, v.at, belief.at) }
    }

    /// A difference of 28 and more is not believed at all, one of up to 12 is certain.
    private func believeRow(
        _ y: Int, _ now: UnsafePointer<Int>, _ luma: UnsafePointer<Int>, _ u: UnsafePointer<Int>,
        _ v: UnsafePointer<Int>, _ belief: UnsafeMutablePointer<Int>
    ) {
        let (mostX, mostY) = (16 * (width - 1), 16 * (height - 1))
        var (x, at) = (0, y &* width)
        while x < width {
            let (px, py) = (16 &* x &+ (u[at] &>> 2), 16 &* y &+ (v[at] &>> 2))
            if px < 0 || py < 0 || px > mostX || py > mostY {
                belief[at] = 0
            } else {
                let (left, top, fx, fy) = (px &>> 4, py &>> 4, px & 15, py & 15)
                let upper = top &* width &+ left
                let lower = top &+ 1 < height ? upper &+ width : upper
                let right = left &+ 1 < width ? 1 : 0
                let above = luma[upper] &* (16 &- fx) &+ luma[upper &+ right] &* fx
                let below = luma[lower] &* (16 &- fx) &+ luma[lower &+ right] &* fx
                let difference = now[at] &- ((above &* (16 &- fy) &+ below &* fy &+ 128) &>> 8)
                belief[at] = within(28 &- (difference < 0 ? 0 &- difference : difference), 16)
            }
            x &+= 1
            at &+= 1
        }
    }
}
