package org.edgebundle.sdk.core

import java.io.File
import org.edgebundle.sdk.ENGINES
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** A real measurement written as a run record; the caller reads it with harness/records/run.py. */
class RunRecordTest {
    private val loader = ModelLoader(DirectoryBundle(File(TEST_DATA, "bundle")), IMAGE_IO, ENGINES)

    private fun conditions() =
        Conditions(
            temperatureC = Reading.of(31.5, "degC"),
            thermalStatus = Reading.missing("status", "Android before 10 does not tell"),
            batteryPercent = Reading.of(80, "%"),
            charging = TextReading.of("usb"),
            clocksMhz = listOf(Reading.of(1800, "MHz"), Reading.missing("MHz", "denied")),
        )

    private fun record(session: Session, golden: GoldenResult?, id: String) =
        RunRecord(
            id = id,
            startedAt = "2026-01-02T03:04:05Z",
            bundleSha256 = loader.bundleSha256,
            session = session,
            device =
                DeviceInfo(
                    "android",
                    "SERIAL",
                    TextReading.of("Maker \"Eins\" 型"),
                    TextReading.missing("not named"),
                    TextReading.of("15"),
                    TextReading.of("f"),
                    TextReading.of("arm64-v8a"),
                ),
            threads = 2,
            protocol = "quick",
            warmup = 1,
            conditionsStart = conditions(),
            conditionsEnd = conditions(),
            loadNs = 5_000_000,
            timings = Benchmark(warmup = 1, runs = 4).measure(session),
            peakMemoryBytes = Reading.of(3L shl 32, "B"),
            golden = golden,
            goldenReason = if (golden == null) "the bundle carries no golden" else null,
            verdict = Verdict.GOOD,
            samples = listOf(Sample(0.0, Probes.TEMPERATURE, 31.5, "degC"), Sample(1.25, Probes.MEMORY, 4.5e7, "B")),
        )

    @Test
    fun recordsAreWrittenForTheHarness() {
        loader.load(loader.manifest.variants[0], 2).use { session ->
            loader.goldens.fill(session, loader.manifest.goldens.single())
            session.run()
            val golden = loader.goldens.compare(session, loader.manifest.goldens.single())
            val broken = GoldenResult("0", false, -EQUAL_DB, Double.POSITIVE_INFINITY, 40.0)
            val lines =
                listOf(record(session, golden, "a"), record(session, null, "b"), record(session, broken, "c")).map {
                    it.toJson()
                }
            File(TEST_DATA, "out/runs.jsonl").writeText(lines.joinToString("\n", postfix = "\n"))
        }
    }

    @Test
    fun warmupIsNotMeasuredAndACancelledBenchmarkEnds() {
        loader.load(loader.manifest.variants[0], 1).use { session ->
            var now = 0L
            val timings = Benchmark(warmup = 2, runs = 3, clock = { now.also { now += 5 } }).measure(session)
            assertEquals(5L to listOf(5L, 5L, 5L), timings.firstNs to timings.latencyNs)
            assertEquals(2L * 5 * (1 + 2 + 3), now)
            val longer =
                Benchmark(warmup = 0, runs = 2, seconds = 35e-9, clock = { now.also { now += 5 } }).measure(session)
            assertEquals("until the seconds are over too", 7, longer.latencyNs.size)
            assertThrows(InterruptedException::class.java) { Benchmark(0, 5).measure(session) { true } }
            assertThrows(IllegalArgumentException::class.java) { Benchmark(0, 0) }
        }
    }
}
