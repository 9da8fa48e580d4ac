package org.edgebundle.sdk.core

import kotlin.math.ceil
import kotlin.math.floor

/** Summary of a sample of durations. */
class Statistics(samples: List<Long>) {
    private val sorted = samples.sorted()

    init {
        require(samples.isNotEmpty()) { "statistics need at least one sample" }
    }

    val min
        get() = sorted.first()

    val max
        get() = sorted.last()

    val mean
        get() = sorted.sumOf { it.toDouble() } / sorted.size

    val median
        get() = quantile(0.5)

    /** Quantile `q` in 0..1, interpolated linearly between the two nearest samples (Hyndman and Fan's type 7). */
    fun quantile(q: Double): Double {
        require(q in 0.0..1.0) { "a quantile is between 0 and 1, not $q" }
        val at = q * (sorted.size - 1)
        val below = sorted[floor(at).toInt()]
        val above = sorted[ceil(at).toInt()]
        return below + (above - below) * (at - floor(at))
    }
}
