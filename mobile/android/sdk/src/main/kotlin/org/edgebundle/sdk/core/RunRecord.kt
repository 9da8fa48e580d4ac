package org.edgebundle.sdk.core

import java.util.Locale
import org.json.JSONArray
import org.json.JSONObject

/** A number that was read from the device, or why not. */
class Reading private constructor(val value: Double?, val unit: String, val reason: String?) {
    companion object {
        fun of(value: Number, unit: String) = Reading(value.toDouble(), unit, null)

        fun missing(unit: String, reason: String) = Reading(null, unit, reason)
    }

    internal fun toJson() = fields("value" to value, "unit" to unit, "reason" to reason)
}

/** A text that was read from the device, or why not. */
class TextReading private constructor(val value: String?, val reason: String?) {
    companion object {
        fun of(value: String) = TextReading(value, null)

        fun missing(reason: String) = TextReading(null, reason)
    }

    internal fun toJson() = fields("value" to value, "reason" to reason)
}

/** What is known of the phone that was measured; [id] is what the harness calls it. */
class DeviceInfo(
    val kind: String,
    val id: String,
    val model: TextReading,
    val soc: TextReading,
    val os: TextReading,
    val build: TextReading,
    val abi: TextReading,
    val board: TextReading? = null,
    val hardware: TextReading? = null,
)

/** State of the device at one moment: degrees Celsius, percent, MHz by CPU. */
class Conditions(
    val temperatureC: Reading,
    val thermalStatus: Reading,
    val batteryPercent: Reading,
    val charging: TextReading,
    val clocksMhz: List<Reading>,
)

/** One probe value over time: [seconds] after the start of the run. [probe] is one of [Probes]. */
class Sample(val seconds: Double, val probe: String, val value: Double, val unit: String) {
    internal fun toJson() = fields("t_s" to seconds, "probe" to probe, "value" to value, "unit" to unit)
}

/** How near a variant came to a golden: PSNR in dB, the largest difference of a value, and the PSNR that is needed. */
class GoldenResult(
    val id: String,
    val passed: Boolean,
    val psnrDb: Double,
    val maxAbsError: Double,
    val minPsnrDb: Double,
) {
    val inWords
        get() = String.format(Locale.ROOT, "%.1f dB, at least %.1f dB are needed", psnrDb, minPsnrDb)
}

/**
 * One measurement with all its conditions; the names and their meaning are those of harness/records/run.py, schema 2.
 */
class RunRecord(
    val id: String,
    val startedAt: String,
    val bundleSha256: String,
    val session: Session,
    val device: DeviceInfo,
    val threads: Int,
    val protocol: String,
    val warmup: Int,
    val conditionsStart: Conditions,
    val conditionsEnd: Conditions,
    val loadNs: Long,
    val timings: Timings,
    val peakMemoryBytes: Reading,
    val golden: GoldenResult?,
    val goldenReason: String?,
    val verdict: Verdict,
    val samples: List<Sample> = emptyList(),
) {
    /** One line of the exchange format (JSON Lines), without the line break. */
    fun toJson(): String =
        fields(
                "schema" to SCHEMA,
                "id" to id,
                "started_at" to startedAt,
                "model_name" to session.manifest.modelName,
                "bundle_sha256" to bundleSha256,
                "variant" to session.variant.id,
                "variant_sha256" to session.variant.sha256,
                "variant_bytes" to session.variant.bytes,
                "backend" to session.variant.backend,
                "device" to device(),
                "mode" to "app",
                "runtime" to session.runtime,
                "runtime_version" to session.runtimeVersion,
                "delegate_requested" to session.variant.delegate,
                "delegate_executed" to session.delegateExecuted.toJson(),
                "threads" to threads,
                "protocol" to fields("name" to protocol, "warmup" to warmup, "runs" to timings.latencyNs.size),
                "conditions_start" to conditions(conditionsStart),
                "conditions_end" to conditions(conditionsEnd),
                "metric" to "latency",
                "simulated" to null,
                "load_ns" to Reading.of(loadNs, "ns").toJson(),
                "first_ns" to Reading.of(timings.firstNs, "ns").toJson(),
                "latency_ns" to JSONArray(timings.latencyNs),
                "instructions" to
                    Reading.missing("instructions", "instructions are counted on the arm64 device only").toJson(),
                "peak_memory_bytes" to peakMemoryBytes.toJson(),
                "samples" to JSONArray(samples.map { it.toJson() }),
                "golden" to golden?.let(::golden),
                "golden_reason" to goldenReason,
                "verdict" to verdict.toJson(),
            )
            .toString()

    private fun device() =
        fields(
            "kind" to device.kind,
            "id" to device.id,
            "model" to device.model.toJson(),
            "soc" to device.soc.toJson(),
            "os" to device.os.toJson(),
            "build" to device.build.toJson(),
            "abi" to device.abi.toJson(),
            "board" to device.board?.toJson(),
            "hardware" to device.hardware?.toJson(),
        )

    private fun conditions(at: Conditions) =
        fields(
            "temperature_c" to at.temperatureC.toJson(),
            "thermal_status" to at.thermalStatus.toJson(),
            "battery_percent" to at.batteryPercent.toJson(),
            "charging" to at.charging.toJson(),
            "clocks_mhz" to JSONArray(at.clocksMhz.map { it.toJson() }),
        )

    private fun golden(result: GoldenResult) =
        fields(
            "id" to result.id,
            "passed" to result.passed,
            "psnr_db" to result.psnrDb,
            // JSON has no infinity: an output that is not finite is named by the largest float32.
            "max_abs_error" to result.maxAbsError.coerceAtMost(Float.MAX_VALUE.toDouble()),
            "min_psnr_db" to result.minPsnrDb,
        )

    private companion object {
        const val SCHEMA = 2
    }
}

private fun fields(vararg all: Pair<String, Any?>) =
    JSONObject().also { json -> all.forEach { (name, value) -> json.put(name, value ?: JSONObject.NULL) } }
