package org.edgebundle.sdk

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Rect
import org.edgebundle.sdk.core.Crop
import org.edgebundle.sdk.core.TensorSpec
import org.edgebundle.sdk.core.crop

/** Brings bitmaps of any size and config to [width] x [height] pixels; its own bitmaps are reused. Used by one thread at a time. */
internal class BitmapFitter(private val width: Int, private val height: Int) {
    private val fitted = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    private val canvas = Canvas(fitted)
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val target = Rect(0, 0, width, height)
    private val source = Rect()
    private val halves = ArrayList<Bitmap>()

    /** Writes the part of [bitmap] that [spec] shows to the model into [argb]; transparent parts become black. */
    fun fit(bitmap: Bitmap, spec: TensorSpec, argb: IntArray) = fit(bitmap, crop(bitmap.width, bitmap.height, spec), argb)

    /** Writes a part of [bitmap] into [argb]. */
    fun fit(bitmap: Bitmap, part: Crop, argb: IntArray) = readable(bitmap) { readable ->
        var picture = readable
        source.set(part.left, part.top, part.left + part.width, part.top + part.height)
        // The canvas looks at 2x2 pixels only: what is much larger is halved first, or fine patterns flicker.
        var level = 0
        while (source.width() >= 2 * width && source.height() >= 2 * height) {
            picture = halved(picture, level++)
            source.set(0, 0, picture.width, picture.height)
        }
        canvas.drawColor(Color.BLACK)
        canvas.drawBitmap(picture, source, target, paint)
        fitted.getPixels(argb, 0, width, 0, 0, width, height)
    }

    fun close() {
        halves.forEach(Bitmap::recycle)
        fitted.recycle()
    }

    /** The present source part of [picture] at half its width and height, in a bitmap that is kept for the next one of this size. */
    private fun halved(picture: Bitmap, level: Int): Bitmap {
        val halfWidth = source.width() / 2
        val halfHeight = source.height() / 2
        val kept = halves.getOrNull(level)
        if (kept == null || kept.width != halfWidth || kept.height != halfHeight) {
            while (halves.size > level) halves.removeAt(halves.size - 1).recycle()
            halves += Bitmap.createBitmap(halfWidth, halfHeight, Bitmap.Config.ARGB_8888)
        }
        val half = halves[level]
        half.eraseColor(Color.BLACK)
        Canvas(half).drawBitmap(picture, source, Rect(0, 0, halfWidth, halfHeight), paint)
        return half
    }
}

/** [work] on a bitmap whose pixels can be read: a hardware bitmap lives in the GPU's memory and is copied for it. */
internal fun readable(bitmap: Bitmap, work: (Bitmap) -> Unit) {
    require(!bitmap.isRecycled) { "the bitmap was recycled; give one that is in use" }
    if (bitmap.config != Bitmap.Config.HARDWARE) return work(bitmap)
    val copy = bitmap.copy(Bitmap.Config.ARGB_8888, false) ?: throw OutOfMemoryError("a copy of ${bitmap.width} x ${bitmap.height} pixels")
    work(copy)
    copy.recycle()
}
