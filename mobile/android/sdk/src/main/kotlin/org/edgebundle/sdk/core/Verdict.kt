package org.edgebundle.sdk.core

/** The first thing that speaks against a run that an app measured, worst first; `ok` when nothing does. */
fun verdict(
    golden: GoldenResult?,
    delegateRequested: String,
    delegateExecuted: TextReading,
    start: Conditions,
    end: Conditions,
    wasHidden: Boolean,
): String {
    val before = start.thermalStatus.value
    val after = end.thermalStatus.value
    return when {
        golden != null && !golden.passed -> "invalid: golden ${golden.id} fails (${golden.inWords})"
        delegateExecuted.value != null && delegateExecuted.value != delegateRequested ->
            "invalid: ${delegateExecuted.value} executed it, $delegateRequested was asked for"
        wasHidden -> "invalid: the app was not in the foreground all the time"
        golden == null -> "unstable: the output was not checked (the bundle carries no golden)"
        before != null && after != null && after > before -> "unstable: the thermal status rose from ${before.toInt()} to ${after.toInt()}"
        delegateExecuted.value == null -> "unstable: which delegate executed is unknown (${delegateExecuted.reason})"
        else -> "ok"
    }
}
