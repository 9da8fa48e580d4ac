/// Styles the frames between two runs of the network: the newest styled pictures are carried along the motion of the
/// frames, and a new one comes in little by little (docs/sdk-rules.md, "Between key frames"). Kotlin and
/// scripts/vectors/carrying.py give the same pictures.
final class FrameCarrier {
    private let width: Int
    private let height: Int
    private var now: LumaPyramid
    private var before: LumaPyramid
    private let blocks: (width: Int, height: Int)
    private let flow: OpticalFlow
    private let u: Words
    private let v: Words
    private var hasBefore = false
    private var key: CarriedKey?
    private var old: CarriedKey?
    private var running: CarriedKey?
    private var spare: [CarriedKey] = []
    private var since = 0
    /// Whether less than two fifths of the present frame is known from a key: another scene.
    private(set) var isCut = false

    init(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        (now, before) = (LumaPyramid(width, height), LumaPyramid(width, height))
        blocks = (now.levels[0].width, now.levels[0].height)
        flow = OpticalFlow(now)
        (u, v) = (Words(blocks.width * blocks.height), Words(blocks.width * blocks.height))
    }

    /// The size of pictures at a divisor, which is 1 or 2.
    func size(_ divisor: Int) -> (width: Int, height: Int) { (max(1, width / divisor), max(1, height / divisor)) }

    /// The next frame. Without `follows` nothing is taken for moved.
    func advance(_ frame: [UInt32], follows: Bool = true) {
        precondition(frame.count == width * height, "\(width) x \(height) pixels, not \(frame.count)")
        swap(&now, &before)
        frame.withUnsafeBufferPointer { now.fill($0.baseAddress!) }
        if follows && hasBefore && now.depth > 0 {
            flow.follow(now, before, u: u, v: v)
            for one in [key, old, running] { one?.follow(u, v) }
        }
        hasBefore = true
        since += 1
        for one in [key, old] { one?.believe(now.levels[0].values) }
        isCut = key.map { 5 * believed($0.belief.at, old?.belief.at ?? $0.belief.at) < 2 * u.count } ?? false
    }

    /// The present frame, that of the last `advance`, goes to the network.
    func begin(_ frame: [UInt32]) {
        let taken = spare.popLast() ?? CarriedKey(blocks.width, blocks.height)
        taken.take(frame, now.levels[0].values)
        running = taken
    }

    /// The network has made the styled picture of the key that was begun.
    func finish(_ styled: [UInt32]) {
        guard let ended = running else { return }
        precondition(styled.count == width * height, "\(width) x \(height) pixels, not \(styled.count)")
        ended.styled = styled
        if let old { spare.append(old) }
        (old, key, running, since) = (key, ended, nil, 0)
    }

    /// The network gave none: the keys before stay.
    func fail() {
        if let running { spare.append(running) }
        running = nil
    }

    /// The newest key's styled picture at a divisor.
    func keyPicture(_ divisor: Int) -> [UInt32] {
        guard let key else { return [] }
        if divisor == 1 { return key.styled }
        let (columns, rows) = size(divisor)
        return (0..<columns * rows).map { key.styled[$0 / columns * divisor * width + $0 % columns * divisor] }
    }

    /// The present frame styled, at a divisor. With each of `fade` frames the newest key has a larger share, and the one
    /// before a smaller. What no key knows has the change of the newest key's pixels.
    func picture(_ frame: [UInt32], fade: Int, divisor: Int) -> [UInt32] {
        guard let key else { return [] }
        let share = min(CarriedKey.full, CarriedKey.full * since / max(1, fade))
        let (columns, rows) = size(divisor)
        let other = share < CarriedKey.full ? old ?? key : key
        return [UInt32](unsafeUninitializedCapacity: columns * rows) { out, count in
            let target = out.baseAddress!
            frame.withUnsafeBufferPointer { frame in
                Source.of(key, width, height) { newest in
                    Source.of(other, width, height) { oldest in
                        let row = Row(
                            frame: frame.baseAddress!, newest: newest, oldest: oldest, share: share,
                            isMixed: other !== key, blocks: blocks.width, step: divisor, columns: columns)
                        for y in 0..<rows { row.write(y, target + y * columns) }
                    }
                }
            }
            count = columns * rows
        }
    }

    private func believed(_ own: UnsafePointer<Int>, _ other: UnsafePointer<Int>) -> Int {
        var (count, i) = (0, 0)
        while i < u.count {
            if own[i] >= 8 || other[i] >= 8 { count &+= 1 }
            i &+= 1
        }
        return count
    }
}

/// A key's pictures and the way to it.
private struct Source {
    let frame: UnsafePointer<UInt32>
    let styled: UnsafePointer<UInt32>
    let u: UnsafePointer<Int>
    let v: UnsafePointer<Int>
    let belief: UnsafePointer<Int>
    let width: Int
    let height: Int

    static func of(_ key: CarriedKey, _ width: Int, _ height: Int, _ use: (Source) -> Void) {
        key.frame.withUnsafeBufferPointer { frame in
            key.styled.withUnsafeBufferPointer { styled in
                use(
                    Source(
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
private struct Row {
    let frame: UnsafePointer<UInt32>
    let newest: Source
    let oldest: Source
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
