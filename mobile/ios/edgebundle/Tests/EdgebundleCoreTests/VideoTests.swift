import Foundation
import XCTest

@testable import EdgebundleCore

final class VideoTests: XCTestCase {
    private struct Outcome {
        var shown: [Double] = []
        var keys = 0
        var busyMs = 0.0
    }

    /// `seconds` of 30 frames/s through a network of `networkMs`, by a clock that is counted: arrivals and ends of the
    /// network in order.
    private func played(networkMs: Double, heat: Heat = .nominal, seconds: Double = 10) -> (Outcome, FrameSchedule) {
        var (schedule, outcome) = (FrameSchedule(), Outcome())
        var end: Double?
        func ns(_ ms: Double) -> UInt64 { UInt64(ms * 1e6) }
        func finish(by now: Double) {
            guard let at = end, at <= now else { return }
            end = nil
            if schedule.networkEnded(at: ns(at)) { outcome.shown.append(at) }
        }
        for frame in 0..<Int(seconds * 30) {
            let now = 1000 + Double(frame) * 1000 / 30
            finish(by: now)
            let number = schedule.arrived(at: ns(now))
            let use = schedule.use(of: number, at: ns(now), heat: heat)
            if use.startsNetwork {
                XCTAssertNil(end, "the network has one frame at a time")
                end = now + networkMs
                outcome.keys += 1
                outcome.busyMs += networkMs
            }
            if use.isShown { outcome.shown.append(now) }
        }
        return (outcome, schedule)
    }

    /// Whatever time the network takes, 30 frames come and 30 are shown each second, no standstill is longer than 50
    /// ms, and the network has at most 80 % of the time.
    func testShowsEveryFrameAtAnyNetworkTime() {
        for networkMs in [20.0, 40, 100, 200, 400] {
            let (outcome, schedule) = played(networkMs: networkMs)
            let start = outcome.shown[0]
            let rate = Double(outcome.shown.count - 1) / (outcome.shown[outcome.shown.count - 1] - start) * 1000
            let longest = zip(outcome.shown, outcome.shown.dropFirst()).map { $1 - $0 }.max() ?? .infinity
            XCTAssertGreaterThanOrEqual(rate, 29, "\(networkMs) ms")
            XCTAssertLessThanOrEqual(longest, 50, "\(networkMs) ms")
            XCTAssertLessThanOrEqual(outcome.busyMs / 10_000, 0.81, "\(networkMs) ms")
            XCTAssertEqual(schedule.pace.every, [20: 1, 40: 2, 100: 4, 200: 8, 400: 16][networkMs])
            print(
                "network \(Int(networkMs)) ms: \(oneDigit(rate)) frames/s, longest \(oneDigit(longest)) ms, share \(oneDigit(outcome.busyMs / 100)) %"
            )
        }
    }

    /// A warm phone's network has half of the time, a hot one's a quarter, and pictures shrink.
    func testHeatSlowsTheNetworkDown() {
        XCTAssertLessThanOrEqual(played(networkMs: 40, heat: .fair).0.busyMs / 10_000, 0.41)
        let (outcome, schedule) = played(networkMs: 41, heat: .serious)
        XCTAssertLessThanOrEqual(outcome.busyMs / 10_000, 0.21)
        XCTAssertEqual(schedule.pace, FramePace(every: 7, divisor: 2))
    }

    /// Frames that are dropped count as arrivals, and a pause counts for nothing.
    func testMeasuresArrivals() {
        var governor = FrameGovernor()
        for ms in [0, 33, 66, 100, 133] { governor.arrived(at: UInt64(ms) * 1_000_000) }
        governor.networkTook(50_000_000)
        XCTAssertEqual(governor.pace.every, 2)
        governor.arrived(at: 60_000_000_000)
        governor.arrived(at: 60_033_000_000)
        XCTAssertEqual(governor.pace.every, 2)
    }

    private func grey(_ level: UInt32) -> [UInt32] { .init(repeating: 0xff00_0000 | level * 0x010101, count: 4) }

    /// A carrier of 2 x 2 pixels whose only key is a frame that the network styled.
    private func carrier(_ frame: [UInt32], _ styled: [UInt32]) -> FrameCarrier {
        let carrier = FrameCarrier(width: 2, height: 2)
        carrier.advance(frame)
        carrier.begin(frame)
        carrier.finish(styled)
        return carrier
    }

    /// What did not move looks as in the key frame; at half the size every second pixel.
    func testWhatDidNotMoveLooksAsInTheKeyFrame() {
        let frame: [UInt32] = [0xff10_2030, 0xffa0_b0c0, 0xff00_0000, 0xffff_ffff]
        let styled: [UInt32] = [0xff40_5060, 0xff80_6040, 0xff20_3040, 0xffe0_d0c0]
        let carrier = carrier(frame, styled)
        carrier.advance(frame)
        XCTAssertEqual(carrier.picture(frame, fade: 1, divisor: 1), styled)
        XCTAssertEqual(carrier.picture(frame, fade: 1, divisor: 2), [styled[0]])
        XCTAssertEqual(carrier.keyPicture(2), [styled[0]])
    }

    /// Another scene is seen at once; a network that failed leaves the key before.
    func testAnotherScene() {
        let carrier = carrier(grey(0), grey(64))
        carrier.advance(grey(10))
        XCTAssertFalse(carrier.isCut)
        carrier.begin(grey(10))
        carrier.fail()
        carrier.advance(grey(0))
        XCTAssertEqual(carrier.picture(grey(0), fade: 1, divisor: 1), grey(64))
        carrier.advance(grey(200))
        XCTAssertTrue(carrier.isCut)
    }

    /// A new key comes in little by little.
    func testANewKeyComesInLittleByLittle() {
        let carrier = carrier(grey(50), grey(100))
        carrier.begin(grey(50))
        carrier.finish(grey(180))
        let shown = (0..<5).map { _ in
            carrier.advance(grey(50))
            return carrier.picture(grey(50), fade: 4, divisor: 1)[0] & 0xff
        }
        XCTAssertEqual(shown, [120, 140, 160, 180, 180])
    }

    /// A frame of another scene is a key, and nothing is shown before it is styled.
    func testACutInTheSchedule() {
        var schedule = FrameSchedule()
        func arrives(_ isCut: Bool) -> FrameSchedule.Use {
            schedule.use(of: schedule.arrived(at: 0), at: 0, heat: .nominal, isCut: isCut)
        }
        for frame in 0..<20 { _ = schedule.arrived(at: UInt64(frame) * 33_000_000) }
        XCTAssertEqual(arrives(false), .init(startsNetwork: true, isShown: false))
        XCTAssertTrue(schedule.networkEnded(at: 200_000_000))
        XCTAssertEqual(arrives(false), .init(startsNetwork: false, isShown: true))
        XCTAssertEqual(arrives(true), .init(startsNetwork: true, isShown: false))
        XCTAssertEqual(arrives(true), .init(startsNetwork: false, isShown: false))
        XCTAssertTrue(schedule.networkEnded(at: 400_000_000))
        XCTAssertEqual(arrives(false), .init(startsNetwork: false, isShown: true))
    }

    /// A phone that is too slow for optical flow goes without it; the first frames count for nothing.
    func testATooSlowFlow() {
        var governor = FrameGovernor()
        for ms in [0, 33, 66] { governor.arrived(at: UInt64(ms) * 1_000_000) }
        for _ in 0..<60 { governor.flowTook(500_000_000) }
        for _ in 0..<60 { governor.flowTook(6_000_000) }
        XCTAssertTrue(governor.follows)
        for _ in 0..<60 { governor.flowTook(30_000_000) }
        XCTAssertFalse(governor.follows)
    }

    /// A frame that fails is told, and the next one is taken; after the end a frame is refused and nothing is thrown.
    func testAFrameThatFailsIsTold() async {
        struct Fault: Error, Equatable { let frame: Int }
        let told = Told()
        // Frames are numbers; 3 cannot be read, 5 fails in the network, 7 cannot be shown.
        let pipeline = FramePipeline<Int>(
            width: 1, height: 1,
            .init(
                fit: { frame, pixels in
                    if frame == 3 { throw Fault(frame: 3) }
                    pixels[0] = UInt32(frame)
                },
                network: { pixels in
                    if pixels[0] == 5 { throw Fault(frame: 5) }
                    return pixels
                },
                show: { _, _, _, frame in
                    if frame == 7 { throw Fault(frame: 7) }
                    told.add("shown \(frame)")
                },
                failed: { told.add("failed \(($0 as? Fault)?.frame ?? 0)") }, heat: { .nominal }))
        for frame in 1...8 {
            XCTAssertTrue(pipeline.submit(frame))
            await told.wait { $0.contains("shown \(frame)") || $0.contains("failed \(frame)") }
        }
        pipeline.finish()
        await pipeline.ended()
        XCTAssertFalse(pipeline.submit(9))
        XCTAssertEqual(
            told.all, ["shown 1", "shown 2", "failed 3", "shown 4", "failed 5", "shown 6", "failed 7", "shown 8"])
    }

    /// While the network runs, later frames are carried and shown; the key that comes late is not shown after them.
    func testShowsFramesWhileTheNetworkRuns() async {
        let (told, gate) = (Told(), Told())
        let pipeline = FramePipeline<Int>(
            width: 1, height: 1,
            .init(
                fit: { frame, pixels in pixels[0] = 0xff00_0000 },
                network: { pixels in
                    let run = gate.add("run")
                    if run > 1 { await gate.wait { $0.contains("go") } }
                    return [0xff00_0000 | UInt32(run)]
                },
                show: { styled, _, _, frame in told.add("\(frame): \(styled[0] & 0xff)") }, failed: { _ in },
                heat: { .nominal }))
        pipeline.submit(1)
        await told.wait { $0.contains("1: 1") }
        for frame in 2...4 {
            pipeline.submit(frame)
            if frame > 2 { await told.wait { $0.contains("\(frame): 1") } } else { await gate.wait { $0.count == 2 } }
        }
        gate.add("go")
        pipeline.finish()
        await pipeline.ended()
        XCTAssertEqual(told.all, ["1: 1", "3: 1", "4: 1"])
    }
}

/// What happened, in order, and a wait for it that has a limit.
final class Told: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String] = []

    var all: [String] { lock.withLock { kept } }

    @discardableResult
    func add(_ what: String) -> Int {
        lock.withLock {
            kept.append(what)
            return kept.count
        }
    }

    func wait(_ isThere: ([String]) -> Bool) async {
        // a task of its own: the one that waits may be cancelled, which ends a sleep at once
        for _ in 0..<5000 where !isThere(all) {
            await Task.detached { try? await Task.sleep(for: .milliseconds(2)) }.value
        }
        XCTAssertTrue(isThere(all), "waited in vain: \(all)")
    }
}
