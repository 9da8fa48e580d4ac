package org.edgebundle.app

import android.content.Context
import android.util.Log
import java.io.File
import java.time.Instant
import java.util.UUID
import org.edgebundle.sdk.ConditionSampler
import org.edgebundle.sdk.DeviceState
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.Benchmark
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.RunFacts
import org.edgebundle.sdk.core.RunRecord
import org.edgebundle.sdk.core.Statistics
import org.edgebundle.sdk.core.Variant
import org.edgebundle.sdk.core.verdict
import org.json.JSONObject

/** Measures variants inside the app and appends one run record each to a file that `adb pull` can read. */
class BenchmarkRunner(private val context: Context) {
    private val device = DeviceState(context)

    /** What was measured, for the screen. */
    class Outcome(
        val variant: String,
        val medianMs: Double,
        val p90Ms: Double,
        val delegate: String,
        val verdict: String,
    )

    /**
     * Measures the variant of the request, or all that this app can run, telling [done] of each. [cancelled] is asked
     * before every inference; [hidden] says whether the app has left the foreground. Throws [BundleError].
     */
    fun run(
        request: BenchmarkRequest,
        cancelled: () -> Boolean,
        hidden: () -> Boolean = { false },
        done: (Outcome) -> Unit,
    ) {
        try {
            val loader = ImageModel.loader(context)
            val variants = request.variant?.let { listOf(loader.manifest.variant(it)) } ?: loader.variants
            if (variants.isEmpty())
                throw BundleError(
                    "the bundle has no variant that this app can run; it has ${loader.manifest.variants.joinToString { it.id }}."
                )
            val file = File(context.getExternalFilesDir(null) ?: context.filesDir, request.output)
            for (variant in variants) done(measure(loader, variant, request, file, cancelled, hidden))
        } catch (error: BundleError) {
            say("error" to error.message)
            throw error
        }
    }

    private fun measure(
        loader: ModelLoader,
        variant: Variant,
        request: BenchmarkRequest,
        file: File,
        cancelled: () -> Boolean,
        hidden: () -> Boolean,
    ): Outcome {
        val startedAt = Instant.now().toString()
        val start = device.conditions()
        val loading = System.nanoTime()
        loader.load(variant, request.threads).use { session ->
            val loadNs = System.nanoTime() - loading
            val golden = session.manifest.goldens.firstOrNull()
            golden?.let { loader.goldens.fill(session, it) }
            val (timings, samples) =
                ConditionSampler(device).during {
                    Benchmark(request.warmup, request.runs, request.seconds).measure(session, cancelled)
                }
            val checked = golden?.let { loader.goldens.compare(session, it) }
            val end = device.conditions()
            val goldenReason = if (checked == null) "the bundle carries no golden" else null
            val record =
                RunRecord(
                    id = UUID.randomUUID().toString(),
                    startedAt = startedAt,
                    bundleSha256 = loader.bundleSha256,
                    session = session,
                    device = device.info(request.device),
                    threads = request.threads,
                    protocol = request.protocol,
                    warmup = request.warmup,
                    conditionsStart = start,
                    conditionsEnd = end,
                    loadNs = loadNs,
                    timings = timings,
                    peakMemoryBytes = device.peakMemory(),
                    golden = checked,
                    goldenReason = goldenReason,
                    verdict =
                        verdict(
                            RunFacts(
                                checked,
                                goldenReason,
                                variant.delegate,
                                session.delegateExecuted,
                                start,
                                end,
                                samples,
                                hidden(),
                            )
                        ),
                    samples = samples,
                )
            file.appendText(record.toJson() + "\n")
            val latencies = Statistics(timings.latencyNs)
            say(
                "id" to record.id,
                "variant" to variant.id,
                "median_ns" to latencies.median,
                "verdict" to record.verdict.words,
                "file" to file.path,
            )
            return Outcome(
                variant.id,
                latencies.median / 1e6,
                latencies.quantile(0.9) / 1e6,
                session.delegateExecuted.value ?: "?",
                record.verdict.words,
            )
        }
    }

    companion object {
        private const val TAG = "EDGEBUNDLE_RUN"

        /**
         * One JSON line in the log for whoever started the benchmark; the record itself is in the file (log lines are
         * cut at 4 KB).
         */
        fun say(vararg fields: Pair<String, Any?>) {
            Log.i(
                TAG,
                JSONObject()
                    .apply { fields.forEach { (name, value) -> put(name, value ?: JSONObject.NULL) } }
                    .toString(),
            )
        }
    }
}
