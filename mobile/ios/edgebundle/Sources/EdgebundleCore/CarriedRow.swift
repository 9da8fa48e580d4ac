/// A key's pictures and the way to it.
struct CarriedSource {
    let frame: UnsafePointer<UInt32>
    let styled: UnsafePointer<UInt32>
    let u: UnsafePointer<Int>
    let v: UnsafePointer<Int>
    let belief: UnsafePointer<Int>
    let width: Int
    let height: Int

    static func of(_ key: CarriedKey, _ width: Int, _ height: Int, _ use: (CarriedSource) -> Void) {
        key.frame.withUnsafeBufferPointer { frame in
            key.styled.withUnsafeBufferPointer { styled in
                use(
                    CarriedSource(
                        frame: frame.baseAddress!, styled: styled.baseAddress!, u: key.u.at, v: key.v.at,
                        belief: key.belief.at, width: width, height: height))
            }
        }
    }

    /// Between pixels, at a place in 1/16 pixel; places outside are those of the edge. Opaque.
    @_transparent
    func sample(_ picture: UnsafePointer<UInt32>, _ placeX: Int, _ placeY: Int) -> Int {
        let (px, py) = (within(placeX, 16 &* (width &- 1)), within(placeY, 16 &* (height &- 1)))
        let (fx, fy) = (px & 15, py & 15)
        let at = (py &>> 4) &* width &+ (px &>> 4)
        let right = fx > 0 ? at &+ 1 : at
        let down = fy > 0 ? width : 0
        let (a, b) = (index(picture[at]), index(picture[right]))
        let (c, d) = (index(picture[at &+ down]), index(picture[right &+ down]))
        let (wa, wb, wc, wd) = ((16 &- fx) &* (16 &- fy), fx &* (16 &- fy), (16 &- fx) &* fy, fx &* fy)
        let upper = (a & 0xff00ff) &* wa &+ (b & 0xff00ff) &* wb
        let odd = ((upper &+ (c & 0xff00ff) &* wc &+ (d & 0xff00ff) &* wd &+ 0x800080) &>> 8) & 0xff00ff
        let green = (a &>> 8 & 0xff) &* wa &+ (b &>> 8 & 0xff) &* wb
        let even = (green &+ (c &>> 8 & 0xff) &* wc &+ (d &>> 8 & 0xff) &* wd &+ 128) & 0xff00
        return 0xff00_0000 | odd | even
    }
}

/// One row of a picture.
struct CarriedRow {
    let frame: UnsafePointer<UInt32>
    let newest: CarriedSource
    let oldest: CarriedSource
    let share: Int
    let isMixed: Bool
    let blocks: Int
    let step: Int
    let columns: Int

    func write(_ row: Int, _ out: UnsafeMutablePointer<UInt32>) {
        let y = row &* step
        var (column, x) = (0, 0)
        while column < columns {
            let block = (y &>> 1) &* blocks &+ (x &>> 1)
            let own = newest.belief[block]
            let other = isMixed ? oldest.belief[block] : 0
            let parts = own &* share &+ other &* (16 &- share)
            let weight = other > 0 && parts > 0 ? 256 &* own &* share / parts : 256
            let (ownX, ownY) = (16 &* x &+ (newest.u[block] &>> 1), 16 &* y &+ (newest.v[block] &>> 1))
            let carried = newest.sample(newest.styled, ownX, ownY)
            var both = word(carried)
            if weight < 256 {
                let (oldX, oldY) = (16 &* x &+ (oldest.u[block] &>> 1), 16 &* y &+ (oldest.v[block] &>> 1))
                both = Blend.pixel(word(oldest.sample(oldest.styled, oldX, oldY)), both, word(weight))
            }
            let known = 16 &* (own > other ? own : other)
            if known < 256 {
                let was = newest.sample(newest.frame, ownX, ownY)
                let now = index(frame[y &* newest.width &+ x])
                let red = changed(now, carried, was, 16)
                let unknown = red | changed(now, carried, was, 8) | changed(now, carried, was, 0)
                both = Blend.pixel(word(unknown), both, word(known))
            }
            out[column] = both
            column &+= 1
            x &+= step
        }
    }
}

@_transparent
private func changed(_ now: Int, _ carried: Int, _ was: Int, _ shift: Int) -> Int {
    within((now &>> shift & 0xff) &+ (carried &>> shift & 0xff) &- (was &>> shift & 0xff), 255) &<< shift
}
