package org.edgebundle.sdk

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Rect
import org.edgebundle.sdk.core.CropMemory
import org.edgebundle.sdk.core.TensorSpec

/**
 * Brings bitmaps of any size and config to [width] x [height] pixels: the part of them that [spec] shows to the model.
 * All that it needs is reused, so pictures of one size allocate nothing (but one of config `HARDWARE` a copy). Used by
 * one thread at a time.
 */
internal class BitmapFitter(
    spec: TensorSpec,
    private val width: Int = spec.width,
    private val height: Int = spec.height,
) {
    private val crops = CropMemory(spec)
    private val fitted = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    private val canvas = Canvas(fitted)
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val target = Rect(0, 0, width, height)
    private val source = Rect()
    private val halves = ArrayList<Half>()

    /** A picture of half the size of the one before it. */
    private class Half(val width: Int, val height: Int) {
        val bitmap: Bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        val canvas = Canvas(bitmap)
        val whole = Rect(0, 0, width, height)
    }

    /** Writes the part of [bitmap] that the model sees into [argb]; transparent parts are composed on white. */
    fun fit(bitmap: Bitmap, argb: IntArray) =
        readable(bitmap) { readable ->
            var picture = readable
            val part = crops.of(bitmap.width, bitmap.height)
            source.set(part.left, part.top, part.left + part.width, part.top + part.height)
            // The canvas looks at 2x2 pixels only: what is much larger is halved first, or fine patterns flicker.
            var level = 0
            while (source.width() >= 2 * width && source.height() >= 2 * height) {
                val half = half(level++)
                half.bitmap.eraseColor(Color.WHITE)
                half.canvas.drawBitmap(picture, source, half.whole, paint)
                picture = half.bitmap
                source.set(half.whole)
            }
            canvas.drawColor(Color.WHITE)
            canvas.drawBitmap(picture, source, target, paint)
            fitted.getPixels(argb, 0, width, 0, 0, width, height)
        }

    fun close() {
        halves.forEach { it.bitmap.recycle() }
        fitted.recycle()
    }

    /** What takes the present source part at half its width and height, kept for the next picture of this size. */
    private fun half(level: Int): Half {
        val kept = halves.getOrNull(level)
        if (kept != null && kept.width == source.width() / 2 && kept.height == source.height() / 2) return kept
        while (halves.size > level) halves.removeAt(halves.size - 1).bitmap.recycle()
        return Half(source.width() / 2, source.height() / 2).also { halves += it }
    }
}

/** [work] on a bitmap whose pixels can be read: a hardware bitmap lives in the GPU's memory and is copied for it. */
internal inline fun readable(bitmap: Bitmap, work: (Bitmap) -> Unit) {
    require(!bitmap.isRecycled) { "the bitmap was recycled; give one that is in use" }
    if (bitmap.config != Bitmap.Config.HARDWARE) return work(bitmap)
    val copy =
        bitmap.copy(Bitmap.Config.ARGB_8888, false)
            ?: throw OutOfMemoryError("a copy of ${bitmap.width} x ${bitmap.height} pixels")
    try {
        work(copy)
    } finally {
        copy.recycle()
    }
}

/** Throws IllegalArgumentException unless a result of [width] x [height] pixels can be written into [bitmap]. */
internal fun checkTarget(bitmap: Bitmap, width: Int, height: Int) {
    require(!bitmap.isRecycled) { "the bitmap to write into was recycled; give one that is in use" }
    require(bitmap.config != Bitmap.Config.ALPHA_8) {
        "the bitmap to write into holds no colours (ALPHA_8); give one of ARGB_8888"
    }
    require(bitmap.isMutable) { "the bitmap to write into cannot be changed; give a mutable one" }
    require(bitmap.width == width && bitmap.height == height) {
        "the bitmap to write into has ${bitmap.width} x ${bitmap.height} pixels and the result has $width x $height"
    }
}
