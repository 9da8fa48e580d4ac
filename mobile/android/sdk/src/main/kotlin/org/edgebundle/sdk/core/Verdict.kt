package org.edgebundle.sdk.core

import java.util.Locale
import org.json.JSONObject

/**
 * What a run is worth: [grade] `ok`, `unstable` or `invalid`, the [code] of what speaks against it, and its facts.
 * Codes, details and words are those of harness/records/verdict.py.
 */
class Verdict(val grade: String, val code: String, val detail: Map<String, Any> = emptyMap()) {
    /** `ok`, or the grade with what speaks against the run. */
    val words: String
        get() = if (code == OK) OK else "$grade: ${why()}"

    private fun why(): String =
        when (code) {
            "golden_failed" ->
                "golden ${detail["golden"]} reached ${decimal("psnr_db")} dB, the bundle asks for ${decimal("min_psnr_db")} dB"
            "not_finite" -> "the output for golden ${detail["golden"]} holds values that are not finite"
            "other_delegate" -> "${detail["executed"]} executed it, ${detail["requested"]} was asked for"
            "hidden" -> "the app was not in the foreground all the time"
            "throttled" ->
                number("status").toInt().let {
                    "throttled: the device told thermal status $it (${STATUS_NAMES[it.coerceIn(STATUS_NAMES.indices)]})"
                }
            "unchecked" -> "the output was not checked (${detail["reason"]})"
            "delegate_unknown" -> "which delegate executed is unknown (${detail["reason"]})"
            else -> code
        }

    private fun number(name: String) = (detail[name] as? Number)?.toDouble() ?: 0.0

    private fun decimal(name: String) = String.format(Locale.ROOT, "%.1f", number(name))

    internal fun toJson(): JSONObject =
        JSONObject().put("grade", grade).put("code", code).put("detail", JSONObject(detail))

    companion object {
        private const val OK = "ok"

        /** Of `android.os.PowerManager`. */
        private val STATUS_NAMES = listOf("NONE", "LIGHT", "MODERATE", "SEVERE", "CRITICAL", "EMERGENCY", "SHUTDOWN")

        val GOOD = Verdict(OK, OK)
    }
}

/** What an app saw of a run. [golden] is null where none was compared; [goldenReason] then says why. */
class RunFacts(
    val golden: GoldenResult?,
    val goldenReason: String?,
    val delegateRequested: String,
    val delegateExecuted: TextReading,
    val start: Conditions,
    val end: Conditions,
    val samples: List<Sample>,
    val wasHidden: Boolean,
)

/**
 * The first thing that speaks against a run that an app measured, worst first, by the rule of
 * harness/analysis/verdict.py.
 */
fun verdict(seen: RunFacts): Verdict {
    val executed = seen.delegateExecuted.value
    val hottest =
        (listOf(seen.start.thermalStatus.value, seen.end.thermalStatus.value) +
                seen.samples.filter { it.unit == "status" }.map { it.value })
            .filterNotNull()
            .maxOrNull() ?: 0.0
    return when {
        seen.golden?.passed == false -> wrongOutput(seen.golden)
        executed != null && executed != seen.delegateRequested ->
            Verdict("invalid", "other_delegate", mapOf("executed" to executed, "requested" to seen.delegateRequested))
        seen.wasHidden -> Verdict("invalid", "hidden")
        hottest >= 1 -> Verdict("invalid", "throttled", mapOf("status" to hottest.toInt()))
        seen.golden == null -> Verdict("unstable", "unchecked", mapOf("reason" to seen.goldenReason.orEmpty()))
        executed == null ->
            Verdict("unstable", "delegate_unknown", mapOf("reason" to seen.delegateExecuted.reason.orEmpty()))
        else -> Verdict.GOOD
    }
}

private fun wrongOutput(golden: GoldenResult) =
    if (golden.psnrDb <= -EQUAL_DB) {
        Verdict("invalid", "not_finite", mapOf("golden" to golden.id))
    } else {
        Verdict(
            "invalid",
            "golden_failed",
            mapOf("golden" to golden.id, "psnr_db" to golden.psnrDb, "min_psnr_db" to golden.minPsnrDb),
        )
    }
