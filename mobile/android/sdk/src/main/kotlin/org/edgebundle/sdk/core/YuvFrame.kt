package org.edgebundle.sdk.core

import java.nio.ByteBuffer

/** One plane of a camera frame: where its bytes are and how far rows and pixels are apart, in bytes. */
class YuvPlane(val bytes: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/**
 * A camera frame in `YUV_420_888`, as CameraX's `ImageProxy` and `android.media.Image` give it: full-size luma, colour
 * planes of half width and height. [rotation] is how far it must be turned clockwise to stand upright: 0, 90, 180 or
 * 270 degrees. Its colours are those of Android's cameras, unless [colours] says others.
 */
class YuvFrame
@JvmOverloads
constructor(
    val width: Int,
    val height: Int,
    val y: YuvPlane,
    val u: YuvPlane,
    val v: YuvPlane,
    val rotation: Int,
    val colours: YuvColours = YuvColours.FULL_601,
) {
    init {
        require(rotation % QUARTER == 0 && rotation in 0 until 4 * QUARTER) {
            "a frame is turned by 0, 90, 180 or 270 degrees, not $rotation"
        }
        require(width > 0 && height > 0) { "a frame of $width x $height pixels does not exist" }
    }

    /** Width and height once it stands upright. */
    val uprightWidth
        get() = if (rotation % (2 * QUARTER) == 0) width else height

    val uprightHeight
        get() = if (rotation % (2 * QUARTER) == 0) height else width

    /**
     * Writes the part [crop] of the upright frame into [argb] as [outWidth] x [outHeight] opaque pixels. Each takes the
     * mean luma of the up to 2x2 nearest source pixels, which is enough for video.
     */
    fun read(crop: Crop, outWidth: Int, outHeight: Int, argb: IntArray) {
        require(argb.size == outWidth * outHeight) { "$outWidth x $outHeight pixels do not fit ${argb.size}" }
        require(y.pixelStride == 1) {
            "luma of ${y.pixelStride} bytes a pixel, as P010 has, cannot be read; ask the camera for YUV_420_888"
        }
        checkPlane("y", y, width, height)
        checkPlane("u", u, (width + 1) / 2, (height + 1) / 2)
        checkPlane("v", v, (width + 1) / 2, (height + 1) / 2)
        var at = 0
        for (row in 0 until outHeight) {
            val upY = crop.top + (2 * row + 1) * crop.height / (2 * outHeight)
            for (column in 0 until outWidth) {
                val upX = crop.left + (2 * column + 1) * crop.width / (2 * outWidth)
                argb[at++] = pixel(sourceX(upX, upY), sourceY(upX, upY))
            }
        }
    }

    /** Throws IllegalArgumentException unless the plane's bytes reach to its last pixel. */
    private fun checkPlane(name: String, plane: YuvPlane, columns: Int, rows: Int) {
        val last = (rows - 1).toLong() * plane.rowStride + (columns - 1).toLong() * plane.pixelStride
        require(plane.rowStride >= 0 && plane.pixelStride >= 0 && last < plane.bytes.limit()) {
            "plane $name of a frame of $width x $height pixels has ${plane.bytes.limit()} bytes, and its last pixel is at byte $last"
        }
    }

    private fun sourceX(x: Int, y: Int) =
        when (rotation) {
            0 -> x
            QUARTER -> y
            2 * QUARTER -> width - 1 - x
            else -> width - 1 - y
        }

    private fun sourceY(x: Int, y: Int) =
        when (rotation) {
            0 -> y
            QUARTER -> height - 1 - x
            2 * QUARTER -> height - 1 - y
            else -> x
        }

    private fun pixel(x: Int, y: Int): Int {
        val right = if (x + 1 < width) x + 1 else x
        val below = if (y + 1 < height) y + 1 else y
        val luma = (luma(x, y) + luma(right, y) + luma(x, below) + luma(right, below) + 2) shr 2
        val blue = colour(u, x, y)
        val red = colour(v, x, y)
        val light = colours.luma * (luma - colours.black) + HALF
        val r = light + colours.redOfRed * red shr 16
        val g = light - colours.greenOfBlue * blue - colours.greenOfRed * red shr 16
        val b = light + colours.blueOfBlue * blue shr 16
        return OPAQUE or (clamped(r) shl 16) or (clamped(g) shl 8) or clamped(b)
    }

    private fun luma(px: Int, py: Int) = y.bytes.get(py * y.rowStride + px * y.pixelStride).toInt() and BYTE

    private fun colour(plane: YuvPlane, x: Int, y: Int) =
        (plane.bytes.get(y / 2 * plane.rowStride + x / 2 * plane.pixelStride).toInt() and BYTE) - 128

    private fun clamped(value: Int) = if (value < 0) 0 else if (value > BYTE) BYTE else value

    private companion object {
        const val QUARTER = 90
        const val HALF = 1 shl 15
        const val BYTE = 0xff
        const val OPAQUE = 0xff shl 24
    }
}
