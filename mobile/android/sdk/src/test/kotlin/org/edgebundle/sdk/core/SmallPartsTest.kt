package org.edgebundle.sdk.core

import java.io.IOException
import java.nio.ByteBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Labels, transparent pixels, what a program prints, planes that end early. */
class SmallPartsTest {
    @Test
    fun theBestLabelsComeFirst() {
        val labels = labelsOf(floatArrayOf(0.1f, 0.7f, Float.NaN, 0.7f), listOf("a", "b", "c"), 3)
        assertEquals(listOf("b", "3", "a"), labels.map { it.name })
        assertEquals(listOf(0.7f, 0.7f, 0.1f), labels.map { it.score })
        assertEquals(4, labelsOf(FloatArray(4), emptyList(), 100).size)
        assertThrows(IllegalArgumentException::class.java) { labelsOf(FloatArray(4), emptyList(), 0) }
    }

    @Test
    fun theOnlyBundleIsMeantAndOneOfSeveralIsNamed() {
        assertEquals("a", chooseBundle(listOf("a"), null))
        assertEquals("b", chooseBundle(listOf("b", "a"), "b"))
        fun refusal(names: List<String>, wished: String?) =
            assertThrows(BundleError::class.java) { chooseBundle(names, wished) }.message.orEmpty()
        assertTrue(refusal(listOf("b", "a"), null).contains("several bundles (a, b)"))
        assertTrue(refusal(listOf("b", "a"), "c").contains("no bundle 'c'; it has a, b"))
        assertTrue(refusal(emptyList(), "c").contains("carries no bundle;"))
    }

    @Test
    fun transparentPixelsAreComposedOnWhite() {
        val argb = intArrayOf(0x00000000, 0x80ff0000.toInt(), 0xff123456.toInt(), 0x01000000)
        composeOnWhite(argb)
        assertArrayEquals(intArrayOf(-1, 0xffff7f7f.toInt(), 0xff123456.toInt(), 0xfffefefe.toInt()), argb)
    }

    @Test
    fun aProgramThatNeverEndsOrNeverStopsPrintingIsLeft() {
        fun lines(vararg words: String, limitMs: Long = 20_000) =
            ProcessBuilder(*words).start().let { program ->
                program.linesWithin(limitMs, 10_000).also { program.destroy() }
            }
        assertEquals(listOf("a", "b", ""), lines("printf", "a\\nb\\n"))
        assertTrue(
            assertThrows(IOException::class.java) { lines("yes") }.message.orEmpty().contains("longer than 10000 bytes")
        )
        assertTrue(
            assertThrows(IOException::class.java) { lines("sleep", "100", limitMs = 50) }
                .message
                .orEmpty()
                .contains("within 50 ms")
        )
    }

    @Test
    fun aPlaneThatEndsEarlyIsNamed() {
        fun plane(bytes: Int, stride: Int, step: Int = 1) = YuvPlane(ByteBuffer.allocate(bytes), stride, step)
        fun read(y: YuvPlane, u: YuvPlane) =
            YuvFrame(8, 4, y, u, plane(7, 8, 2), 0).read(Crop(0, 0, 8, 4), 2, 2, IntArray(4))
        assertThrows(IllegalArgumentException::class.java) { read(plane(31, 8), plane(15, 8, 2)) }
            .message
            .orEmpty()
            .let { assertTrue(it, "plane y" in it) }
        assertThrows(IllegalArgumentException::class.java) { read(plane(32, 8), plane(14, 8, 2)) }
            .message
            .orEmpty()
            .let { assertTrue(it, "plane u" in it) }
        assertThrows(IllegalArgumentException::class.java) { read(plane(64, 16, 2), plane(32, 16, 2)) }
            .message
            .orEmpty()
            .let { assertTrue(it, "P010" in it) }
        // The last row of interleaved colours ends with its last pixel, as Android gives it.
        YuvFrame(8, 4, plane(32, 8), plane(15, 8, 2), plane(15, 8, 2), 0).read(Crop(0, 0, 8, 4), 2, 2, IntArray(4))
        assertThrows(IllegalArgumentException::class.java) {
            YuvFrame(0, 4, plane(32, 8), plane(15, 8, 2), plane(15, 8, 2), 0)
        }
    }
}
