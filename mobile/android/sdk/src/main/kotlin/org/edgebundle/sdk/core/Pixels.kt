package org.edgebundle.sdk.core

import kotlin.math.max
import kotlin.math.min

/** A picture: `argb` holds width x height pixels, row by row, as Android's `Bitmap.getPixels` gives them. */
class Pixels(val width: Int, val height: Int, val argb: IntArray)

/** The part of a picture that is shown to the model: `left`, `top`, `width`, `height` in its pixels. */
class Crop(val left: Int, val top: Int, val width: Int, val height: Int)

/**
 * The manifest's resize policy for a picture of `width` x `height`: all of it (`stretch`), or the largest centred part
 * of the model's proportions.
 */
fun crop(width: Int, height: Int, spec: TensorSpec): Crop {
    if (spec.resize == "stretch") return Crop(0, 0, width, height)
    val wanted = spec.width.toDouble() / spec.height
    val cropWidth = max(1, min(width, Math.round(height * wanted).toInt()))
    val cropHeight = max(1, min(height, Math.round(width / wanted).toInt()))
    return Crop((width - cropWidth) / 2, (height - cropHeight) / 2, cropWidth, cropHeight)
}

/** [crop] for pictures of one size after the other: the same object as long as the size stays, as in a video. */
class CropMemory(private val spec: TensorSpec) {
    private var width = 0
    private var height = 0
    private var last = Crop(0, 0, 0, 0)

    fun of(width: Int, height: Int): Crop {
        if (width != this.width || height != this.height) {
            last = crop(width, height, spec)
            this.width = width
            this.height = height
        }
        return last
    }
}

/**
 * Composes the first [count] pixels of [argb], which are not premultiplied, on white, in place: `(c * a + 255 * (255 -
 * a)) / 255`, rounded (docs/sdk-rules.md, "Transparent pictures").
 */
fun composeOnWhite(argb: IntArray, count: Int = argb.size) {
    for (i in 0 until count) {
        val pixel = argb[i]
        val alpha = pixel ushr 24
        if (alpha == BYTE) continue
        argb[i] =
            OPAQUE or
                (onWhite(pixel shr 16 and BYTE, alpha) shl 16) or
                (onWhite(pixel shr 8 and BYTE, alpha) shl 8) or
                onWhite(pixel and BYTE, alpha)
    }
}

private fun onWhite(channel: Int, alpha: Int) = (channel * alpha + BYTE * (BYTE - alpha) + BYTE / 2) / BYTE

private const val BYTE = 0xff
private const val OPAQUE = 0xff shl 24
