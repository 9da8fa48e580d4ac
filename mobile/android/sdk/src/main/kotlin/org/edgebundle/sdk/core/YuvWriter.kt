package org.edgebundle.sdk.core

/**
 * Writes opaque pixels as the planes of a frame, as [YuvColours.LIMITED_601] says colours: luma of each pixel, colour
 * of each 2 x 2. [width] and [height] are even; the pixels are the first of each row of [stride].
 */
internal class YuvWriter(private val width: Int, private val height: Int, private val stride: Int) {
    init {
        require(width > 0 && height > 0 && width % 2 == 0 && height % 2 == 0) {
            "a frame of $width x $height pixels has no colour of each 2 x 2"
        }
    }

    fun write(argb: IntArray, y: YuvPlane, u: YuvPlane, v: YuvPlane) {
        for (row in 0 until height) for (column in 0 until width) {
            val pixel = argb[row * stride + column]
            val luma = LUMA_R * (pixel shr 16 and BYTE) + LUMA_G * (pixel shr 8 and BYTE) + LUMA_B * (pixel and BYTE)
            y.put(column, row, BLACK + (luma + HALF shr 16))
        }
        for (row in 0 until height / 2) for (column in 0 until width / 2) {
            val at = 2 * row * stride + 2 * column
            val red = sum(argb, at, 16)
            val green = sum(argb, at, 8)
            val blue = sum(argb, at, 0)
            u.put(column, row, NEUTRAL + (BLUE_R * red + BLUE_G * green + BLUE_B * blue + 4 * HALF shr 18))
            v.put(column, row, NEUTRAL + (RED_R * red + RED_G * green + RED_B * blue + 4 * HALF shr 18))
        }
    }

    private fun sum(argb: IntArray, at: Int, shift: Int) =
        (argb[at] shr shift and BYTE) +
            (argb[at + 1] shr shift and BYTE) +
            (argb[at + stride] shr shift and BYTE) +
            (argb[at + stride + 1] shr shift and BYTE)

    private fun YuvPlane.put(column: Int, row: Int, value: Int) {
        bytes.put(row * rowStride + column * pixelStride, value.toByte())
    }

    private companion object {
        const val BYTE = 0xff
        const val HALF = 1 shl 15
        const val BLACK = 16
        const val NEUTRAL = 128

        // ITU-R BT.601, luma 16..235 and colours 16..240, in 16-bit fixed point.
        const val LUMA_R = 16829
        const val LUMA_G = 33039
        const val LUMA_B = 6416
        const val BLUE_R = -9714
        const val BLUE_G = -19071
        const val BLUE_B = 28784
        const val RED_R = 28784
        const val RED_G = -24103
        const val RED_B = -4681
    }
}
