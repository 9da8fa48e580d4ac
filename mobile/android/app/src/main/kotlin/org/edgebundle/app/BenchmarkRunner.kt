package org.edgebundle.app

import android.content.Context
import android.util.Log
import java.io.File
import java.time.Instant
import java.util.UUID
import org.edgebundle.sdk.AssetBundle
import org.edgebundle.sdk.BITMAP_READER
import org.edgebundle.sdk.DeviceState
import org.edgebundle.sdk.ENGINES
import org.edgebundle.sdk.core.Benchmark
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.Conditions
import org.edgebundle.sdk.core.GoldenResult
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.RunRecord
import org.edgebundle.sdk.core.Statistics
import org.edgebundle.sdk.core.Variant
import org.json.JSONObject

/** Measures variants inside the app and appends one run record each to a file that `adb pull` can read. */
class BenchmarkRunner(private val context: Context) {
    private val device = DeviceState(context)

    /** What was measured, for the screen. */
    class Outcome(val variant: String, val medianMs: Double, val verdict: String)

    /** Measures the variant of the request, or all that this app can run. [cancelled] is asked before every inference. */
    fun run(request: BenchmarkRequest, cancelled: () -> Boolean): List<Outcome> = try {
        val loader = ModelLoader(AssetBundle(context.assets), BITMAP_READER, ENGINES)
        val variants = request.variant?.let { listOf(loader.manifest.variant(it)) } ?: loader.variants
        val file = File(context.getExternalFilesDir(null) ?: context.filesDir, request.output)
        variants.map { measure(loader, it, request, file, cancelled) }
    } catch (error: BundleException) {
        say("error" to error.message)
        throw error
    }

    private fun measure(loader: ModelLoader, variant: Variant, request: BenchmarkRequest, file: File, cancelled: () -> Boolean): Outcome {
        val startedAt = Instant.now().toString()
        val start = device.conditions()
        val loading = System.nanoTime()
        loader.load(variant, request.threads).use { session ->
            val loadNs = System.nanoTime() - loading
            val golden = loader.manifest.goldens.firstOrNull()
            golden?.let { loader.goldens.fill(session, it) }
            val timings = Benchmark(request.warmup, request.runs).measure(session, cancelled)
            val checked = golden?.let { loader.goldens.compare(session, it) }
            val end = device.conditions()
            val record = RunRecord(
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
                goldenReason = if (checked == null) "the bundle carries no golden" else null,
                verdict = verdict(checked, start, end),
            )
            file.appendText(record.toJson() + "\n")
            val median = Statistics(timings.latencyNs).median
            say("id" to record.id, "variant" to variant.id, "median_ns" to median, "verdict" to record.verdict, "file" to file.path)
            return Outcome(variant.id, median / 1e6, record.verdict)
        }
    }

    private fun verdict(golden: GoldenResult?, start: Conditions, end: Conditions): String {
        val before = start.thermalStatus.value
        val after = end.thermalStatus.value
        return when {
            golden != null && !golden.passed -> "invalid: golden ${golden.id} fails (${golden.inWords})"
            before != null && after != null && after > before -> "unstable: the thermal status rose from ${before.toInt()} to ${after.toInt()}"
            else -> "ok"
        }
    }

    companion object {
        private const val TAG = "EDGEBUNDLE_RUN"

        /** One JSON line in the log for whoever started the benchmark; the record itself is in the file (log lines are cut at 4 KB). */
        fun say(vararg fields: Pair<String, Any?>) {
            Log.i(TAG, JSONObject().apply { fields.forEach { (name, value) -> put(name, value ?: JSONObject.NULL) } }.toString())
        }
    }
}
