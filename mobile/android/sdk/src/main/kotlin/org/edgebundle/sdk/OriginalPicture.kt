package org.edgebundle.sdk

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Rect
import org.edgebundle.sdk.core.TensorSpec

/**
 * The original at the size of a network's output, to be mixed with it. Made when first needed; its buffers are reused.
 */
internal class OriginalPicture(private val input: TensorSpec, private val output: TensorSpec) {
    private val same = input.width == output.width && input.height == output.height
    private val fitter by lazy { BitmapFitter(input, output.width, output.height) }
    private val pixels by lazy { IntArray(output.width * output.height) }
    private val small by lazy { Bitmap.createBitmap(input.width, input.height, Bitmap.Config.ARGB_8888) }
    private val large by lazy { Bitmap.createBitmap(output.width, output.height, Bitmap.Config.ARGB_8888) }
    private val canvas by lazy { Canvas(large) }
    private val whole = Rect(0, 0, output.width, output.height)
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private var used = false

    /** [bitmap] as fitted to the output; [fitted] holds it as fitted to the input. */
    fun of(bitmap: Bitmap, fitted: IntArray): IntArray {
        if (same) return fitted
        used = true
        fitter.fit(bitmap, pixels)
        return pixels
    }

    /** A tile's own pixels, enlarged to the output's size. */
    fun scaled(tile: IntArray): IntArray {
        if (same) return tile
        small.setPixels(tile, 0, input.width, 0, 0, input.width, input.height)
        canvas.drawBitmap(small, null, whole, paint)
        large.getPixels(pixels, 0, output.width, 0, 0, output.width, output.height)
        return pixels
    }

    fun close() {
        if (used) fitter.close()
    }
}
