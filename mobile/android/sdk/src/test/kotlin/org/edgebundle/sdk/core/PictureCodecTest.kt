package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Test

class PictureCodecTest {
    private fun spec(bgr: Boolean = false) =
        TensorSpec("image", "image", listOf(1, 3, 1, 2), bgr, 0.0 to 1.0, null, null, "stretch", null)

    private fun binding(layout: String) =
        Binding("image", 0, layout, if (layout == "NHWC") listOf(1, 1, 2, 3) else listOf(1, 3, 1, 2), "float32")

    private fun buffer() = ByteBuffer.allocateDirect(24).order(ByteOrder.nativeOrder()).asFloatBuffer()

    private fun floats(buffer: FloatBuffer) =
        FloatArray(6).also {
            buffer.clear()
            buffer.get(it)
        }

    private val pixels = intArrayOf(0xffff0033.toInt(), 0xff00ff66.toInt())

    @Test
    fun planesFollowEachOtherInNchw() {
        val target = buffer()
        PictureCodec(spec(), binding("NCHW")).encode(pixels, target)
        assertArrayEquals(floatArrayOf(1f, 0f, 0f, 1f, 0.2f, 0.4f), floats(target), 0f)
    }

    @Test
    fun channelsFollowEachOtherInNhwcAndBgrTurnsThem() {
        val target = buffer()
        PictureCodec(spec(bgr = true), binding("NHWC")).encode(pixels, target)
        assertArrayEquals(floatArrayOf(0.2f, 0f, 1f, 0.4f, 1f, 0f), floats(target), 0f)
    }

    @Test
    fun valuesAreClampedAndRoundedHalfUp() {
        val source = buffer()
        source.put(floatArrayOf(-3f, 7f, 0.5f / 255, 1.5f / 255, 0.49f / 255, Float.NaN))
        val argb = IntArray(2)
        PictureCodec(spec(), binding("NCHW")).decode(source, argb)
        assertArrayEquals(intArrayOf(0xff000100.toInt(), 0xffff0200.toInt()), argb)
    }

    @Test
    fun pixelsOfTheWrongCountAreRefused() {
        assertThrows(IllegalArgumentException::class.java) {
            PictureCodec(spec(), binding("NCHW")).encode(IntArray(3), buffer())
        }
    }

    @Test
    fun aTensorThatIsNoPictureIsRefused() {
        val tensor = TensorSpec("x", "tensor", listOf(1, 6), false, null, null, null, null, null)
        assertThrows(BundleError::class.java) {
            PictureCodec(tensor, Binding("x", 0, "plain", listOf(1, 6), "float32"))
        }
    }

    @Test
    fun theCropKeepsTheModelsProportions() {
        val square =
            TensorSpec("image", "image", listOf(1, 3, 64, 64), false, 0.0 to 1.0, null, null, "center_crop", null)
        val wide = crop(200, 100, square)
        assertEquals(listOf(50, 0, 100, 100), listOf(wide.left, wide.top, wide.width, wide.height))
        val memory = CropMemory(square)
        assertSame(memory.of(200, 100), memory.of(200, 100))
        assertEquals(wide.left to wide.width, memory.of(200, 100).let { it.left to it.width })
        assertEquals(100, memory.of(100, 200).width)
        val tiny = crop(1, 1, square)
        assertEquals(listOf(0, 0, 1, 1), listOf(tiny.left, tiny.top, tiny.width, tiny.height))
    }
}
