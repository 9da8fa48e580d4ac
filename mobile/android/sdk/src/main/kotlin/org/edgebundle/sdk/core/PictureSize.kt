package org.edgebundle.sdk.core

import kotlin.math.max
import kotlin.math.sqrt

/** Width and height of a picture, in pixels. */
data class PictureSize(val width: Int, val height: Int) {
    init {
        require(width > 0 && height > 0) { "a picture of $width x $height pixels does not exist" }
    }

    val pixels
        get() = width.toLong() * height

    /** This size, or the largest one of the same proportions that has at most [limit] pixels. */
    fun within(limit: Long): PictureSize {
        if (pixels <= limit) return this
        val scale = sqrt(limit.toDouble() / pixels)
        return PictureSize(max(1, (width * scale).toInt()), max(1, (height * scale).toInt()))
    }
}

/**
 * How many pixels a rendered picture may have when [freeBytes] of memory are free: source and result, four bytes each,
 * in half of it.
 */
fun affordablePixels(freeBytes: Long): Long = max(1L shl 16, freeBytes / 2 / (2 * 4))
