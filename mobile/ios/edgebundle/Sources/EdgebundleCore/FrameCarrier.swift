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

    /// The present frame styled, at a divisor. With each of `fade` frames the newest key has a larger share, and the
    /// one before a smaller. What no key knows has the change of the newest key's pixels.
    func picture(_ frame: [UInt32], fade: Int, divisor: Int) -> [UInt32] {
        guard let key else { return [] }
        let share = min(CarriedKey.full, CarriedKey.full * since / max(1, fade))
        let (columns, rows) = size(divisor)
        let other = share < CarriedKey.full ? old ?? key : key
        return [UInt32](unsafeUninitializedCapacity: columns * rows) { out, count in
            let target = out.baseAddress!
            frame.withUnsafeBufferPointer { frame in
                CarriedSource.of(key, width, height) { newest in
                    CarriedSource.of(other, width, height) { oldest in
                        let row = CarriedRow(
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
