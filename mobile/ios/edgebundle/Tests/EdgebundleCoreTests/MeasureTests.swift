import Foundation
import XCTest

@testable import EdgebundleCore

final class MeasureTests: XCTestCase {
    private func session() throws -> Session {
        let manifest = try manifest(manifestText())
        return try Session(manifest: manifest, variant: manifest.variants[0], engine: FakeEngine { _, _ in })
    }

    private func conditions(_ status: Double?) -> Conditions {
        Conditions(
            temperatureC: .missing("degC", "an iPhone tells none"),
            thermalStatus: status.map { .of($0, "status") } ?? .missing("status", "none"),
            batteryPercent: .of(80, "%"), charging: .of("unplugged"))
    }

    private func seen(_ samples: [Sample] = [], hidden: Bool = false, end: Double? = 0) -> RunRecord.Seen {
        let text = TextReading.of("x")
        return RunRecord.Seen(
            startedAt: "2026-01-05T10:00:00.000Z",
            device: DeviceInfo(kind: "ios", id: "0-1", model: text, soc: text, os: text, build: text, abi: text),
            simulated: nil, start: conditions(0), end: conditions(end), loadNs: 5, peakMemoryBytes: .of(7, "B"),
            samples: samples, wasHidden: hidden)
    }

    /// The first inference, warm-ups and measured ones are counted apart, by runs and by seconds.
    func testMeasures() throws {
        nonisolated(unsafe) var now: UInt64 = 0
        let benchmark = Benchmark(
            warmup: 2, runs: 3,
            clock: {
                now += 10
                return now
            })
        let timings = try benchmark.measure(session())
        XCTAssertEqual(timings.firstNs, 10)
        XCTAssertEqual(timings.latencyNs, [10, 10, 10])
        XCTAssertEqual(now, 2 * 10 * 6)
        let long = try Benchmark(
            warmup: 0, runs: 1, seconds: 55e-9,
            clock: {
                now += 10
                return now
            }
        ).measure(session())
        XCTAssertEqual(long.latencyNs.count, 6)
        XCTAssertThrowsError(try benchmark.measure(session(), check: { throw CancellationError() }))
    }

    /// Quantiles are numpy's default ones.
    func testQuantiles() {
        let statistics = Statistics([40, 10, 30, 20])
        XCTAssertEqual(statistics.median, 25)
        XCTAssertEqual(statistics.quantile(0.9), 37)
        XCTAssertEqual(Statistics([7]).quantile(0.3), 7)
    }

    /// PSNR and errors are those of builder/bundle/tensors.py, with the values of its tests.
    func testParity() {
        XCTAssertEqual(psnrDb([0, 0], [0, 0], peak: 1), 200)
        XCTAssertEqual(psnrDb([0.1, 0], [0, 0.1], peak: 1), 20, accuracy: 1e-5)
        XCTAssertEqual(psnrDb([.nan], [0], peak: 1), -200)
        XCTAssertEqual(maxAbsError([.nan, 1], [0, 0]), .infinity)
    }

    /// An error that JSON cannot hold is the largest float.
    func testErrorsAreFinite() {
        XCTAssertEqual(
            GoldenResult(id: "0", passed: false, psnrDb: 12.34, maxAbsError: .infinity, minPsnrDb: 40).maxAbsError,
            Double(Float.greatestFiniteMagnitude))
    }

    /// Thermal states are kept where they change, probes at every reading, with the time since the start.
    func testLogsSamples() {
        nonisolated(unsafe) var now: UInt64 = 1_000_000_000
        let log = SampleLog(clock: {
            now += 500_000_000
            return now
        })
        log.add(.nominal)
        log.add(.nominal)
        log.add(.memory, .of(100, "B"))
        log.add(.memory, .missing("B", "no"))
        log.add(.memory, .of(90, "B"))
        log.add(.serious)
        XCTAssertEqual(log.samples.map(\.value), [0, 100, 90, 3])
        XCTAssertEqual(log.samples.map(\.seconds), [0.5, 1, 1.5, 2])
        XCTAssertEqual(log.largest(.memory), 100)
    }

    /// Launch arguments are read with their defaults, and a bad one is a sentence that names it.
    func testReadsLaunchArguments() throws {
        XCTAssertNil(try BenchmarkRequest.from(["app", "-AppleLanguages", "(zh)"], device: "d"))
        let asking = try XCTUnwrap(
            BenchmarkRequest.from(["-edgebundle-run", "conditions", "-edgebundle-output", "s.json"], device: "d"))
        XCTAssertTrue(asking.asksForConditions)
        XCTAssertEqual(asking.output, "s.json")
        let quick = try XCTUnwrap(
            BenchmarkRequest.from(["app", "--", "-edgebundle-run", "standard", "-edgebundle-id", "ab"], device: "d"))
        XCTAssertEqual(quick, BenchmarkRequest(protocolName: "standard", warmup: 20, runs: 200, device: "d", id: "ab"))
        let full = [
            "-edgebundle-run", "x", "-edgebundle-variant", "v 1", "-edgebundle-warmup", "0", "-edgebundle-runs", "2",
            "-edgebundle-seconds", "1.5",
            "-edgebundle-bundle", "b", "-edgebundle-output", "o.jsonl", "-edgebundle-device", "D", "-edgebundle-id",
            "1",
        ]
        XCTAssertEqual(
            try BenchmarkRequest.from(full, device: "d"),
            BenchmarkRequest(
                protocolName: "x", variant: "v 1", warmup: 0, runs: 2, seconds: 1.5, bundle: "b", output: "o.jsonl",
                device: "D", id: "1"))
        for bad in [
            ["run"], ["run", "q", "-edgebundle-runs", "0"], ["run", "q", "-edgebundle-output", "../x"], ["runs", "5"],
            ["rnu", "q"],
            ["run", "q", "-edgebundle-seconds", "nan"],
        ] {
            XCTAssertThrowsError(
                try BenchmarkRequest.from(["-edgebundle-\(bad[0])"] + bad.dropFirst(), device: "d"), "\(bad)")
        }
    }

    /// The record of a run is written for Python, which reads it with its own contract.
    func testWritesRecordsForPython() throws {
        let golden = GoldenResult(id: "0", passed: true, psnrDb: 60, maxAbsError: .infinity, minPsnrDb: 40)
        let request = BenchmarkRequest(protocolName: "quick", warmup: 1, runs: 3, device: "0-1", id: "run-1")
        let timings = Timings(firstNs: 9, latencyNs: [3, 4, UInt64(Int64.max)])
        let samples = [Sample(seconds: 0.25, probe: "low_power_mode", value: 1, unit: "flag")]
        let lines = [
            RunRecord(
                request, bundleSha256: "b", session: try session(), execution: executed, timings: timings,
                golden: golden, seen: seen(samples)),
            RunRecord(
                request, bundleSha256: "b", session: try session(), execution: executed, timings: timings, golden: nil,
                seen: seen(hidden: true)),
        ]
        let text = try lines.map { try $0.toJson() + "\n" }.joined()
        try Data(text.utf8).write(to: testData("out/records.jsonl"))
        XCTAssertEqual(lines.map(\.verdict.words), ["ok", "invalid: the app was not in the foreground all the time"])
    }

    /// A variant that gives the golden's own output passes it.
    func testPassesAGolden() async throws {
        let loader = try ModelLoader(root: testData("bundle"), reader: rawReader, engines: [:])
        let golden = loader.manifest.goldens[0]
        let variant = loader.manifest.variants[0]
        let wanted = try loader.goldens.picture(golden.expected[0].tensors[0], loader.manifest.outputs[0])
        let codec = try PictureCodec(loader.manifest.outputs[0], variant.outputs[0])
        let engine = FakeEngine { _, outputs in
            wanted.argb.withUnsafeBufferPointer { codec.encode($0, into: outputs[0]) }
        }
        let result = try loader.goldens.run(
            try Session(manifest: loader.manifest, variant: variant, engine: engine), golden)
        XCTAssertEqual(
            result, GoldenResult(id: "0", passed: true, psnrDb: 200, maxAbsError: 0, minPsnrDb: result.minPsnrDb))
    }

    /// A damaged artifact is found by its hash before any runtime sees it.
    func testRefusesADamagedArtifact() async throws {
        let loader = try ModelLoader(
            root: testData("damaged"), reader: rawReader, engines: ["coreml-all": FakeEngine.Copying()])
        do {
            _ = try await loader.load(loader.variants[0])
            XCTFail("the artifact is not what the manifest says")
        } catch let error as BundleError {
            XCTAssertTrue(error.message.contains("does not have the hash in the manifest"))
        }
    }
}
