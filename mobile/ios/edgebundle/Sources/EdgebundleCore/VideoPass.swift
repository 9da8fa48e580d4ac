/// A whole video, frame by frame, as fast as it goes: none is left out, each keeps its time (docs/sdk-rules.md, "Video
/// files"). The network runs on the first frame, on each `every`-th after a key, and where the scene is cut; its
/// results are carried to the others as in live video. Kotlin and scripts/vectors/passes.py do the same.
public final class VideoPass {
    private let carrier: FrameCarrier
    private let every: Int
    private var sinceKey = 0
    private var last: Int64 = .min
    /// Frames that were taken, and how many of them the network saw.
    public private(set) var (frames, keys) = (0, 0)

    /// Throws `BundleError` for an `every` below 1.
    public init(width: Int, height: Int, every: Int) throws {
        guard every >= 1 else {
            throw BundleError("the network runs on every frame or on every k-th, not on every \(every)-th.")
        }
        (carrier, self.every) = (FrameCarrier(width: width, height: height), every)
    }

    /// The time that is written with a frame of this time: above that of the frame before, as some files say one twice.
    public func written(_ time: Int64) -> Int64 {
        last = last == .min ? time : max(time, last + 1)
        return last
    }

    /// The picture for the next frame; `network` styles a whole frame.
    public func styled(
        _ frame: [UInt32], isolation: isolated (any Actor)? = #isolation, network: ([UInt32]) async throws -> [UInt32]
    ) async throws -> [UInt32] {
        carrier.advance(frame)
        frames += 1
        let isOwn = keys == 0 || carrier.isCut || every == 1
        let picture = isOwn ? [] : carrier.picture(frame, fade: every, divisor: 1)
        sinceKey += 1
        if isOwn || sinceKey >= every {
            carrier.begin(frame)
            carrier.finish(try await network(frame))
            keys += 1
            sinceKey = 0
        }
        return isOwn ? carrier.keyPicture(1) : picture
    }
}
