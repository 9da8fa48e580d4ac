package org.edgebundle.sdk

import android.graphics.Bitmap
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.PictureSize
import org.edgebundle.sdk.core.PixelSource
import org.edgebundle.sdk.core.TensorSpec
import org.edgebundle.sdk.core.Tiler
import org.edgebundle.sdk.core.Tiling
import org.edgebundle.sdk.core.affordablePixels
import org.edgebundle.sdk.core.composeOnWhite

/**
 * Pictures of any size through a network of a fixed size, tile by tile. [freeMemory] tells how many bytes are free,
 * where that is known.
 */
internal class LargePicture(
    private val input: TensorSpec,
    output: TensorSpec,
    private val tiling: Tiling?,
    private val freeMemory: () -> Long?,
) {
    private val scale = output.width / input.width

    init {
        if (tiling?.allowed == false)
            throw BundleError("this network cannot work in tiles (${tiling.reason}); use process.")
        if (scale < 1 || output.width != scale * input.width || output.height != scale * input.height) {
            throw BundleError(
                "a network from ${input.width} x ${input.height} to ${output.width} x ${output.height} pixels cannot work in tiles; use process."
            )
        }
    }

    /** Renders [bitmap], reduced when memory asks for it, down to half its pixels at each try that finds none. */
    fun render(
        bitmap: Bitmap,
        cancelled: () -> Boolean,
        progress: TileProgress,
        tile: (IntArray, IntArray) -> Unit,
    ): Bitmap {
        val whole = PictureSize(bitmap.width, bitmap.height)
        var size = freeMemory()?.let { whole.within(affordablePixels(it) / (scale * scale)) } ?: whole
        while (true) {
            try {
                return attempt(bitmap, size, cancelled, progress, tile)
            } catch (error: OutOfMemoryError) {
                if (size.pixels <= input.width.toLong() * input.height) throw error
                size = size.within(size.pixels / 2)
            }
        }
    }

    private fun attempt(
        bitmap: Bitmap,
        size: PictureSize,
        cancelled: () -> Boolean,
        progress: TileProgress,
        tile: (IntArray, IntArray) -> Unit,
    ): Bitmap {
        val result = Bitmap.createBitmap(size.width * scale, size.height * scale, Bitmap.Config.ARGB_8888)
        var finished = false
        try {
            readable(bitmap) { whole ->
                val source =
                    if (size.width == whole.width && size.height == whole.height) whole
                    else Bitmap.createScaledBitmap(whole, size.width, size.height, true)
                try {
                    val tiler = Tiler.of(input, scale, tiling)
                    val tiles = tiler.tiles(size.width, size.height)
                    var done = 0
                    tiler.run(
                        BitmapSource(source),
                        { top, rows, argb -> result.setPixels(argb, 0, result.width, 0, top, result.width, rows) },
                        cancelled,
                    ) { pixels, into ->
                        tile(pixels, into)
                        progress.report(++done, tiles)
                    }
                } finally {
                    if (source !== whole) source.recycle()
                }
            }
            result.setHasAlpha(false)
            finished = true
            return result
        } finally {
            if (!finished) result.recycle()
        }
    }

    private class BitmapSource(private val bitmap: Bitmap) : PixelSource {
        override val width
            get() = bitmap.width

        override val height
            get() = bitmap.height

        override fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray) {
            bitmap.getPixels(argb, 0, width, left, top, width, height)
            if (bitmap.hasAlpha()) composeOnWhite(argb, width * height)
        }
    }
}
