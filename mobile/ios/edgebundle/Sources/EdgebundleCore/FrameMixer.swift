/// Styles the frames between two runs of the network: what the network changed in the last key frame is added to the present
/// frame, less where the present frame differs from the key frame, so that what moves does not leave a ghost.
public struct FrameMixer: Sendable {
    /// Sum of the three channels' differences from which on a pixel shows something else than in the key frame.
    private static let strange: Int32 = 192
    private var before: [UInt32]
    private var after: [UInt32]

    public init(pixelCount: Int) {
        before = [UInt32](repeating: 0, count: pixelCount)
        after = before
    }

    /// Keeps a key frame and what the network made of it.
    public mutating func key(_ frame: [UInt32], styled: [UInt32]) {
        before = frame
        after = styled
    }

    /// The styled picture of a frame of the same size.
    public func mix(_ frame: [UInt32]) -> [UInt32] {
        precondition(frame.count == before.count, "a frame of \(frame.count) pixels does not fit key frames of \(before.count)")
        return frame.indices.map { pixel(frame[$0], before[$0], after[$0]) }
    }

    private func pixel(_ now: UInt32, _ was: UInt32, _ styled: UInt32) -> UInt32 {
        func channel(_ word: UInt32, _ shift: UInt32) -> Int32 { Int32(word >> shift & 0xff) }
        let shifts: [UInt32] = [16, 8, 0]
        let moved = shifts.reduce(Int32(0)) { $0 + abs(channel(now, $1) - channel(was, $1)) }
        let weight = max(0, Self.strange - moved)
        return shifts.reduce(UInt32(0xff00_0000)) { word, shift in
            let value = channel(now, shift) + (channel(styled, shift) - channel(was, shift)) * weight / Self.strange
            return word | UInt32(min(255, max(0, value))) << shift
        }
    }
}
