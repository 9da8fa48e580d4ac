/// Durations in nanoseconds: the first inference, and every measured one.
public struct Timings: Sendable {
    public let firstNs: UInt64
    public let latencyNs: [UInt64]

    public init(firstNs: UInt64, latencyNs: [UInt64]) {
        (self.firstNs, self.latencyNs) = (firstNs, latencyNs)
    }
}

/// Runs a loaded variant: one first inference, `warmup` more that are not measured, then measured ones until there are
/// `runs` of them and `seconds` have passed. At most `most` are measured.
public struct Benchmark: Sendable {
    public static let most = 100_000
    private let warmup: Int
    private let runs: Int
    private let seconds: Double
    private let clock: @Sendable () -> UInt64

    public init(warmup: Int, runs: Int, seconds: Double = 0, clock: @escaping @Sendable () -> UInt64 = monotonicNs) {
        precondition(
            warmup >= 0 && runs > 0 && seconds >= 0, "a benchmark needs warmup >= 0, runs > 0 and seconds >= 0")
        (self.warmup, self.runs, self.seconds, self.clock) = (warmup, runs, seconds, clock)
    }

    /// The inputs of the session are filled by the caller. `check` is called before each inference and ends the
    /// benchmark by throwing.
    public func measure(_ session: Session, check: () throws -> Void = {}) throws -> Timings {
        let first = try timed(session, check)
        for _ in 0..<warmup { _ = try timed(session, check) }
        var latencies: [UInt64] = []
        latencies.reserveCapacity(runs)
        var elapsed: UInt64 = 0
        while latencies.count < runs || (Double(elapsed) < seconds * 1e9 && latencies.count < Self.most) {
            let latency = try timed(session, check)
            elapsed += latency
            latencies.append(latency)
        }
        return Timings(firstNs: first, latencyNs: latencies)
    }

    private func timed(_ session: Session, _ check: () throws -> Void) throws -> UInt64 {
        try check()
        let start = clock()
        try session.run()
        return clock() - start
    }
}

/// Nanoseconds of a clock that does not jump.
@Sendable public func monotonicNs() -> UInt64 {
    let elapsed = startOfProcess.duration(to: .now).components
    return UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
}

private let startOfProcess = ContinuousClock.now
