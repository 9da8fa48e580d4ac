package org.edgebundle.sdk.core

import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.min

/** The PSNR that stands for "equal", as in builder/bundle/tensors.py. */
const val EQUAL_DB = 200.0

/**
 * 10 log10(peak^2 / mean squared error) in dB; [EQUAL_DB] for equal arrays, -[EQUAL_DB] where `actual` is not finite.
 */
fun psnrDb(actual: FloatArray, expected: FloatArray, peak: Double): Double {
    var sum = 0.0
    for (i in expected.indices) {
        val difference = actual[i].toDouble() - expected[i]
        sum += difference * difference
    }
    val error = sum / expected.size
    return when {
        error.isNaN() || error.isInfinite() -> -EQUAL_DB
        error == 0.0 -> EQUAL_DB
        peak == 0.0 -> -EQUAL_DB
        else -> min(EQUAL_DB, 10 * log10(peak * peak / error))
    }
}

/** Largest absolute difference; infinite where `actual` is not finite. */
fun maxAbsError(actual: FloatArray, expected: FloatArray): Double =
    expected.indices.maxOf { i ->
        abs(actual[i].toDouble() - expected[i]).let { if (it.isNaN()) Double.POSITIVE_INFINITY else it }
    }

/**
 * Peak for PSNR: the width of an image's declared range; for other tensors the expected values' own range, or the size
 * of a single value.
 */
fun peakOf(spec: TensorSpec, expected: FloatArray): Double =
    if (spec.isImage && spec.range != null) spec.range.second - spec.range.first
    else (expected.max().toDouble() - expected.min()).takeIf { it != 0.0 } ?: abs(expected.max().toDouble())
