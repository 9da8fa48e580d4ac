import Foundation

/// One measurement with all its conditions; the names and their meaning are those of harness/records/run.py, schema 2.
public struct RunRecord: Encodable, Sendable {
    public struct ProtocolInfo: Encodable, Sendable {
        let name: String
        let warmup: Int
        let runs: Int
    }

    /// Why a run has no golden result.
    static let noGolden = "the bundle carries no golden"

    private let schema = 2
    public let id: String
    private let startedAt: String
    private let modelName: String
    private let bundleSha256: String
    public let variant: String
    private let variantSha256: String
    private let variantBytes: Int
    private let backend: String
    private let device: DeviceInfo
    private let mode = "app"
    private let runtime: String
    private let runtimeVersion: String
    private let delegateRequested: String
    private let delegateExecuted: TextReading
    private let threads = 1
    private let `protocol`: ProtocolInfo
    private let conditionsStart: Conditions
    private let conditionsEnd: Conditions
    private let metric = "latency"
    private let simulated: String?
    private let compileNs: Reading
    private let loadNs: Reading
    private let firstNs: Reading
    public let latencyNs: [UInt64]
    private let instructions = Reading.missing("instructions", "instructions are counted on the arm64 device only")
    private let peakMemoryBytes: Reading
    private let opDevices: [OpDevice]
    private let samples: [Sample]
    private let golden: GoldenResult?
    private let goldenReason: String?
    public let verdict: Verdict

    enum CodingKeys: String, CodingKey {
        case schema, id, variant, backend, device, mode, runtime, threads, `protocol`, metric, simulated, instructions,
            samples, golden, verdict
        case startedAt = "started_at"
        case modelName = "model_name"
        case bundleSha256 = "bundle_sha256"
        case variantSha256 = "variant_sha256"
        case variantBytes = "variant_bytes"
        case runtimeVersion = "runtime_version"
        case delegateRequested = "delegate_requested"
        case delegateExecuted = "delegate_executed"
        case conditionsStart = "conditions_start"
        case conditionsEnd = "conditions_end"
        case compileNs = "compile_ns"
        case loadNs = "load_ns"
        case firstNs = "first_ns"
        case latencyNs = "latency_ns"
        case peakMemoryBytes = "peak_memory_bytes"
        case opDevices = "op_devices"
        case goldenReason = "golden_reason"
    }

    /// What the app saw beside the session. `simulated` is the label of a simulator's numbers.
    public struct Seen: Sendable {
        public let startedAt: String
        public let device: DeviceInfo
        public let simulated: String?
        public let start: Conditions
        public let end: Conditions
        public let loadNs: UInt64
        public let peakMemoryBytes: Reading
        public let samples: [Sample]
        public let wasHidden: Bool

        public init(
            startedAt: String, device: DeviceInfo, simulated: String?, start: Conditions, end: Conditions,
            loadNs: UInt64, peakMemoryBytes: Reading,
            samples: [Sample], wasHidden: Bool
        ) {
            (self.startedAt, self.device, self.simulated, self.start, self.end) = (
                startedAt, device, simulated, start, end
            )
            (self.loadNs, self.peakMemoryBytes, self.samples, self.wasHidden) = (
                loadNs, peakMemoryBytes, samples, wasHidden
            )
        }
    }

    public init(
        _ request: BenchmarkRequest, bundleSha256: String, session: Session, execution: Execution, timings: Timings,
        golden: GoldenResult?, seen: Seen
    ) {
        id = request.id
        startedAt = seen.startedAt
        modelName = session.manifest.model.name
        self.bundleSha256 = bundleSha256
        variant = session.variant.id
        variantSha256 = session.variant.sha256
        variantBytes = session.variant.bytes
        backend = session.variant.backend
        device = seen.device
        runtime = session.engine.runtime
        runtimeVersion = session.engine.runtimeVersion
        delegateRequested = session.variant.delegate
        delegateExecuted = execution.delegate
        `protocol` = ProtocolInfo(name: request.protocolName, warmup: request.warmup, runs: timings.latencyNs.count)
        conditionsStart = seen.start
        conditionsEnd = seen.end
        simulated = seen.simulated
        compileNs = session.engine.compileNs
        loadNs = .of(Double(seen.loadNs), "ns")
        firstNs = .of(Double(timings.firstNs), "ns")
        latencyNs = timings.latencyNs
        peakMemoryBytes = seen.peakMemoryBytes
        opDevices = execution.ops
        samples = seen.samples
        self.golden = golden
        goldenReason = golden == nil ? Self.noGolden : nil
        verdict = edgebundleVerdict(golden, requested: session.variant.delegate, executed: execution.delegate, seen)
    }

    /// One line of the exchange format (JSON Lines), without the line break.
    public func toJson() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
