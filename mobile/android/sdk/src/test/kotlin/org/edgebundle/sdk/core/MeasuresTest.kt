package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class MeasuresTest {
    @Test
    fun quantilesAreInterpolated() {
        val statistics = Statistics(listOf(40, 10, 20, 30))
        assertEquals(25.0, statistics.median, 0.0)
        assertEquals(10.0, statistics.quantile(0.0), 0.0)
        assertEquals(38.5, statistics.quantile(0.95), 1e-9)
        assertEquals(25.0, statistics.mean, 0.0)
        assertEquals(10L to 40L, statistics.min to statistics.max)
    }

    @Test
    fun noSamplesHaveNoStatistics() {
        assertThrows(IllegalArgumentException::class.java) { Statistics(emptyList()) }
    }

    @Test
    fun psnrIsRelativeToThePeak() {
        val expected = floatArrayOf(0f, 0f)
        assertEquals(EQUAL_DB, psnrDb(expected, expected, 1.0), 0.0)
        assertEquals(20.0, psnrDb(floatArrayOf(0.1f, -0.1f), expected, 1.0), 1e-6)
        assertEquals(-EQUAL_DB, psnrDb(floatArrayOf(Float.NaN, 0f), expected, 1.0), 0.0)
        assertEquals(-EQUAL_DB, psnrDb(floatArrayOf(1f, 0f), expected, 0.0), 0.0)
    }

    @Test
    fun anOutputThatIsNotFiniteHasAnInfiniteError() {
        assertEquals(0.5, maxAbsError(floatArrayOf(1f, 2.5f), floatArrayOf(1f, 2f)), 0.0)
        assertEquals(Double.POSITIVE_INFINITY, maxAbsError(floatArrayOf(Float.NaN), floatArrayOf(0f)), 0.0)
    }

    @Test
    fun logicalValuesAreReorderedForNhwcAndBack() {
        val binding = Binding("x", 0, "NHWC", listOf(1, 2, 1, 3), "float32")
        val buffer = ByteBuffer.allocateDirect(binding.bytes).order(ByteOrder.nativeOrder())
        val logical = floatArrayOf(1f, 2f, 3f, 4f, 5f, 6f) // planes 1 2 | 3 4 | 5 6
        writeValues(logical, binding, buffer)
        val stored =
            FloatArray(6).also {
                buffer.clear()
                buffer.asFloatBuffer().get(it)
            }
        assertArrayEquals(floatArrayOf(1f, 3f, 5f, 2f, 4f, 6f), stored, 0f)
        assertArrayEquals(logical, readValues(binding, buffer), 0f)
    }

    @Test
    fun integersKeepTheirType() {
        val binding = Binding("ids", 0, "plain", listOf(1, 2), "int64")
        val buffer = ByteBuffer.allocateDirect(binding.bytes).order(ByteOrder.nativeOrder())
        writeValues(floatArrayOf(7f, -2f), binding, buffer)
        assertEquals(7L to -2L, buffer.getLong(0) to buffer.getLong(8))
        assertArrayEquals(floatArrayOf(7f, -2f), readValues(binding, buffer), 0f)
    }
}
