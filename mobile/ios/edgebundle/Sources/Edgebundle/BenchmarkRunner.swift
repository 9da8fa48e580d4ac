#if canImport(CoreML) && canImport(UIKit) && canImport(Darwin)
    import Foundation
    import UIKit

    /// Measures variants inside the app and appends one run record each to a file in its Documents folder.
    public struct BenchmarkRunner: Sendable {
        /// What was measured, for the screen.
        public struct Outcome: Sendable, Identifiable {
            public let id: String
            public let variant: String
            public let medianMs: Double
            public let p90Ms: Double
            public let delegate: String
            public let verdict: String
            public let file: URL
        }

        private let engines: [String: any EngineFactory]

        public init(engines: [String: any EngineFactory] = ImageModel.engines) {
            self.engines = engines
        }

        /// Measures the variant of the request, or all that this app can run, telling `done` of each. `hidden` counts
        /// how often the app has left the foreground. Cancelled with its task. Throws `BundleError`.
        public func run(
            _ request: BenchmarkRequest, hidden: @MainActor @Sendable () -> Int,
            done: @MainActor @Sendable (Outcome) -> Void
        ) async throws {
            let documents = try FileManager.default.url(
                for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let loader = try ImageModel.loader(
                file: request.bundle.map { documents.appendingPathComponent($0) }, engines: engines)
            let variants = try request.variant.map { [try loader.manifest.variant($0)] } ?? loader.variants
            guard !variants.isEmpty else {
                throw BundleError(
                    "the bundle has no variant that this app can run; it has \(loader.manifest.variants.map(\.id).joined(separator: ", "))."
                )
            }
            for variant in variants { await done(try await measure(loader, variant, request, documents, hidden)) }
        }

        /// Writes the phone's state to the request's output: a computer is told the thermal state by an app only.
        public static func tellConditions(_ request: BenchmarkRequest) async throws {
            let documents = try FileManager.default.url(
                for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let data = try JSONEncoder().encode(await DeviceState.conditions())
            try data.write(to: documents.appendingPathComponent(request.output), options: .atomic)
        }

        private func measure(
            _ loader: ModelLoader, _ variant: Variant, _ request: BenchmarkRequest, _ documents: URL,
            _ hidden: @MainActor @Sendable () -> Int
        ) async throws -> Outcome {
            let startedAt = Date().ISO8601Format()
            let (start, hiddenBefore) = (await DeviceState.conditions(), await hidden())
            let loading = monotonicNs()
            let session = try await loader.load(variant)
            let compileNs = UInt64(session.engine.compileNs.value ?? 0)
            let loadNs = max(monotonicNs() - loading, compileNs) - compileNs
            let golden = loader.manifest.goldens(of: variant).first
            if let golden { try loader.goldens.fill(session, golden) }
            let log = SampleLog()
            let watch = ThermalWatch(log)
            let sampler = Task.detached(priority: .utility) {
                while !Task.isCancelled {
                    Self.sample(log)
                    try await Task.sleep(for: .seconds(1))
                }
            }
            defer {
                sampler.cancel()
                watch.stop()
            }
            let timings = try Benchmark(warmup: request.warmup, runs: request.runs, seconds: request.seconds)
                .measure(session, check: { try Task.checkCancellation() })
            Self.sample(log)
            let checked = try golden.map { try loader.goldens.compare(session, $0) }
            let seen = RunRecord.Seen(
                startedAt: startedAt, device: DeviceState.info(id: request.device), simulated: DeviceState.simulated,
                start: start,
                end: await DeviceState.conditions(), loadNs: loadNs, peakMemoryBytes: DeviceState.footprint().peak,
                samples: log.samples,
                wasHidden: await hidden() != hiddenBefore)
            let execution = await session.engine.execution()
            let record = RunRecord(
                request, bundleSha256: loader.bundleSha256, session: session, execution: execution, timings: timings,
                golden: checked, seen: seen)
            try writeOutputs(session, request, documents)
            let file = documents.appendingPathComponent(request.output)
            try append(try record.toJson() + "\n", to: file)
            let latencies = Statistics(timings.latencyNs)
            return Outcome(
                id: "\(record.id) \(variant.id)", variant: variant.id, medianMs: latencies.median / 1e6,
                p90Ms: latencies.quantile(0.9) / 1e6,
                delegate: execution.delegate.value ?? "?", verdict: record.verdict.words, file: file)
        }

        private static func sample(_ log: SampleLog) {
            log.add(.memory, DeviceState.footprint().now)
            log.add(.lowPowerMode, .of(DeviceState.isLowPower ? 1 : 0, "flag"))
        }

        /// The last outputs as little-endian float32 in logical order, for whoever checks them on a computer.
        private func writeOutputs(_ session: Session, _ request: BenchmarkRequest, _ documents: URL) throws {
            guard request.bundle != nil else { return }
            for spec in session.outputSpecs {
                let data = try session.values(spec.name).withUnsafeBytes { Data($0) }
                try data.write(to: documents.appendingPathComponent("\(request.id).\(spec.name).f32"), options: .atomic)
            }
        }

        private func append(_ text: String, to file: URL) throws {
            if !FileManager.default.fileExists(atPath: file.path) {
                try Data(text.utf8).write(to: file, options: .atomic)
                return
            }
            let handle = try FileHandle(forWritingTo: file)
            defer { try? handle.close() }
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(text.utf8))
        }
    }

    /// Notes the thermal state now and whenever the system says that it changed.
    private final class ThermalWatch: @unchecked Sendable {
        private let token: any NSObjectProtocol

        init(_ log: SampleLog) {
            if DeviceState.simulated == nil { log.add(DeviceState.heat()) }
            token = NotificationCenter.default.addObserver(
                forName: ProcessInfo.thermalStateDidChangeNotification, object: nil, queue: nil
            ) { _ in
                log.add(DeviceState.heat())
            }
        }

        func stop() { NotificationCenter.default.removeObserver(token) }
    }
#endif
