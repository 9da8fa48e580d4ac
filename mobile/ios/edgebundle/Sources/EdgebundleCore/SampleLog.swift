import Foundation

/// What was read beside a measurement, in order of time. Thermal states are kept where they change; other probes at
/// every reading.
///
/// Shared by the thread that measures and the notifications of the system, so it holds a lock.
public final class SampleLog: @unchecked Sendable {
    private let lock = NSLock()
    private let start: UInt64
    private let clock: @Sendable () -> UInt64
    private var kept: [Sample] = []
    private var heat: Heat?
    private var peak: [Probe: Double] = [:]

    public init(clock: @escaping @Sendable () -> UInt64 = monotonicNs) {
        self.clock = clock
        start = clock()
    }

    /// Notes a thermal state when it is not the last one.
    public func add(_ state: Heat) {
        lock.withLock {
            if state == heat { return }
            heat = state
            append(Probe.thermalStatus.rawValue, state.status, Probe.thermalStatus.unit)
        }
    }

    /// Notes a reading; what could not be read has no sample: the record's conditions say why.
    public func add(_ probe: Probe, _ reading: Reading) {
        guard let value = reading.value else { return }
        lock.withLock {
            append(probe.rawValue, value, reading.unit)
            peak[probe] = max(peak[probe] ?? value, value)
        }
    }

    public var samples: [Sample] { lock.withLock { kept } }

    /// The largest value of a probe so far.
    public func largest(_ probe: Probe) -> Double? { lock.withLock { peak[probe] } }

    private func append(_ probe: String, _ value: Double, _ unit: String) {
        kept.append(Sample(seconds: Double(clock() - start) / 1e9, probe: probe, value: value, unit: unit))
    }
}
