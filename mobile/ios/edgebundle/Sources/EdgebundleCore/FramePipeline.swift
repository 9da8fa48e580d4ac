import Foundation

/// Carries the frames of a video through a network that may be slower than they come: fitting, carrying and showing go
/// on while it runs.
///
/// Frames come by `submit` from any thread, which never waits. Of those that wait the newest is kept. Whatever fails
/// for one frame is told to `failed`, and the next one is taken (docs/sdk-rules.md, "A frame that fails").
public final class FramePipeline<Frame: Sendable>: Sendable {
    /// What the pipeline does with a frame; all but `network` are called one after the other.
    public struct Steps: Sendable {
        /// Brings a frame to width x height pixels.
        let fit: @Sendable (_ frame: Frame, _ into: inout [UInt32]) throws -> Void
        /// Pixels to styled pixels of the same size. Cancelled with the pipeline.
        let network: @Sendable (_ pixels: [UInt32]) async throws -> [UInt32]
        let show: @Sendable (_ styled: [UInt32], _ width: Int, _ height: Int, _ frame: Frame) throws -> Void
        let failed: @Sendable (any Error) -> Void
        let heat: @Sendable () -> Heat
        let clock: @Sendable () -> UInt64

        public init(
            fit: @escaping @Sendable (Frame, inout [UInt32]) throws -> Void,
            network: @escaping @Sendable ([UInt32]) async throws -> [UInt32],
            show: @escaping @Sendable ([UInt32], Int, Int, Frame) throws -> Void,
            failed: @escaping @Sendable (any Error) -> Void,
            heat: @escaping @Sendable () -> Heat, clock: @escaping @Sendable () -> UInt64 = monotonicNs
        ) {
            (self.fit, self.network, self.show, self.failed, self.heat, self.clock) = (
                fit, network, show, failed, heat, clock
            )
        }
    }

    private let incoming: AsyncStream<(Frame, Int)>.Continuation
    private let shower: FrameShower<Frame>
    private let schedule: SharedSchedule
    private let clock: @Sendable () -> UInt64
    private let work: Task<Void, Never>

    public init(width: Int, height: Int, _ steps: Steps) {
        let (source, incoming) = AsyncStream.makeStream(of: (Frame, Int).self, bufferingPolicy: .bufferingNewest(1))
        let schedule = SharedSchedule()
        let shower = FrameShower(width: width, height: height, steps, schedule)
        (self.incoming, self.shower, self.schedule, clock) = (incoming, shower, schedule, steps.clock)
        work = Task.detached(priority: .userInitiated) {
            for await (frame, number) in source { await shower.take(frame, number) }
            await shower.end()
        }
    }

    /// Takes a frame and returns at once; false after `finish`, where it does nothing.
    @discardableResult
    public func submit(_ frame: Frame) -> Bool {
        let number = schedule.change { $0.arrived(at: clock()) }
        if case .terminated = incoming.yield((frame, number)) { return false }
        return true
    }

    public var pace: FramePace { schedule.change { $0.pace } }

    /// No more frames will come: those that were taken are shown, then the pipeline ends. Its own network run is
    /// cancelled.
    public func finish() { incoming.finish() }

    /// Returns when nothing more will be shown.
    public func ended() async { await work.value }

    deinit { incoming.finish() }
}

/// The schedule is told of arrivals by any thread.
final class SharedSchedule: @unchecked Sendable {
    private let lock = NSLock()
    private var schedule = FrameSchedule()

    func change<T>(_ work: (inout FrameSchedule) -> T) -> T { lock.withLock { work(&schedule) } }
}

/// What is kept from frame to frame, and the one who shows.
private actor FrameShower<Frame: Sendable> {
    private let steps: FramePipeline<Frame>.Steps
    private let schedule: SharedSchedule
    private let carrier: FrameCarrier
    private var pixels: [UInt32]
    private var network: Task<Void, Never>?

    init(width: Int, height: Int, _ steps: FramePipeline<Frame>.Steps, _ schedule: SharedSchedule) {
        (self.steps, self.schedule) = (steps, schedule)
        carrier = FrameCarrier(width: width, height: height)
        pixels = [UInt32](repeating: 0, count: width * height)
    }

    func take(_ frame: Frame, _ number: Int) {
        do {
            try steps.fit(frame, &pixels)
            let follows = schedule.change { $0.follows }
            let start = steps.clock()
            carrier.advance(pixels, follows: follows)
            let isCut = follows && carrier.isCut
            let (use, pace) = schedule.change {
                $0.flowTook(steps.clock() - start)
                return ($0.use(of: number, at: steps.clock(), heat: steps.heat(), isCut: isCut), $0.pace)
            }
            if use.startsNetwork { begin(frame) }
            guard use.isShown else { return }
            try show(carrier.picture(pixels, fade: pace.every, divisor: pace.divisor), pace.divisor, frame)
        } catch {
            steps.failed(error)
        }
    }

    /// Cancels the network run of this pipeline and waits for its end.
    func end() async {
        network?.cancel()
        await network?.value
    }

    private func begin(_ frame: Frame) {
        carrier.begin(pixels)
        let (given, steps) = (pixels, steps)
        network = Task {
            do {
                let styled = try await steps.network(given)
                self.ended(styled, frame)
            } catch {
                self.carrier.fail()
                self.schedule.change { $0.networkFailed() }
                if !(error is CancellationError) { steps.failed(error) }
            }
        }
    }

    private func ended(_ styled: [UInt32], _ frame: Frame) {
        carrier.finish(styled)
        let isShown = schedule.change { $0.networkEnded(at: steps.clock()) }
        guard isShown else { return }
        do {
            let divisor = schedule.change { $0.pace.divisor }
            try show(carrier.keyPicture(divisor), divisor, frame)
        } catch {
            steps.failed(error)
        }
    }

    private func show(_ styled: [UInt32], _ divisor: Int, _ frame: Frame) throws {
        let (width, height) = carrier.size(divisor)
        try steps.show(styled, width, height, frame)
    }
}
