package org.edgebundle.sdk.core

/**
 * What a classifier says: the label's [name] and its [score], in the range of the network's own output (often 0..1, or
 * logits).
 */
class ScoredLabel(val name: String, val score: Float) {
    override fun toString() = "$name ($score)"
}

/**
 * The [most] labels with the highest of [values], best first; equal scores in the network's order. Values that are no
 * numbers come last.
 */
internal fun labelsOf(values: FloatArray, names: List<String>, most: Int): List<ScoredLabel> {
    require(most > 0) { "at least one label is asked for, not $most" }
    fun score(at: Int) = if (values[at].isNaN()) Float.NEGATIVE_INFINITY else values[at]
    return values.indices.sortedByDescending(::score).take(most).map {
        ScoredLabel(names.getOrNull(it) ?: it.toString(), values[it])
    }
}
