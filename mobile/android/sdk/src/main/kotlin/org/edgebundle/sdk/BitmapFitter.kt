package org.edgebundle.sdk

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Rect
import org.edgebundle.sdk.core.TensorSpec
import org.edgebundle.sdk.core.crop

/** Brings bitmaps of any size to the size of a model's input; its own bitmap and pixels are reused. */
internal class BitmapFitter(private val spec: TensorSpec) {
    private val fitted = Bitmap.createBitmap(spec.width, spec.height, Bitmap.Config.ARGB_8888)
    private val canvas = Canvas(fitted)
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val target = Rect(0, 0, spec.width, spec.height)
    private val source = Rect()

    /** Writes the fitted pixels of [bitmap] into [argb]; transparent parts become black. */
    fun fit(bitmap: Bitmap, argb: IntArray) {
        // A hardware bitmap lives in the GPU's memory and cannot be drawn by a software canvas.
        val readable = if (bitmap.config == Bitmap.Config.HARDWARE) bitmap.copy(Bitmap.Config.ARGB_8888, false) else bitmap
        val part = crop(readable.width, readable.height, spec)
        source.set(part.left, part.top, part.left + part.width, part.top + part.height)
        canvas.drawColor(Color.BLACK)
        canvas.drawBitmap(readable, source, target, paint)
        fitted.getPixels(argb, 0, spec.width, 0, 0, spec.width, spec.height)
        if (readable !== bitmap) readable.recycle()
    }
}
