package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class VideoTest {
    private val ms = 1_000_000L

    private fun settled(frameMs: Long, networkMs: Long, headroom: Float) =
        FrameGovernor().apply {
            repeat(60) {
                arrived(it * frameMs * ms)
                networkTook(networkMs * ms)
                headroom(headroom)
            }
        }

    @Test fun aFastNetworkRunsOnEveryFrame() = assertEquals(FramePace(1, 1), settled(33, 20, 0.3f).pace)

    @Test
    fun aSlowNetworkRunsOnAsFewFramesAsItTakes() {
        assertEquals(FramePace(4, 1), settled(33, 80, Float.NaN).pace)
        assertEquals("however slow it is", FramePace(190, 1), settled(33, 5000, Float.NaN).pace)
    }

    @Test
    fun heatSlowsTheNetworkAndThenShrinksPictures() {
        assertEquals(FramePace(2, 1), settled(33, 20, 0.9f).pace)
        assertEquals(FramePace(4, 2), settled(33, 20, 0.97f).pace)
    }

    @Test
    fun coolingDownDoesNotSwing() {
        val governor = settled(33, 20, 0.96f)
        governor.headroom(0.9f)
        assertEquals("still hot", 2, governor.pace.divisor)
        governor.headroom(0.84f)
        assertEquals(FramePace(2, 1), governor.pace)
        governor.headroom(0.8f)
        assertEquals("still warm", 2, governor.pace.every)
        governor.headroom(0.7f)
        assertEquals(FramePace(1, 1), governor.pace)
    }

    @Test
    fun aPhoneThatDoesNotTellItsHeatChangesNothing() {
        val governor = settled(33, 20, 0.9f)
        val pace = governor.pace
        governor.headroom(Float.NaN)
        assertSame(pace, governor.pace)
    }

    private fun grey(level: Int, size: Int = 2) = IntArray(size * size) { 0xff000000.toInt() or (level * 0x010101) }

    /** A carrier whose only key is [frame], of which the network made [styled]. */
    private fun carrier(size: Int, frame: IntArray, styled: IntArray) =
        FrameCarrier(size, size).apply {
            advance(frame, true)
            begin(frame)
            styled.copyInto(running.styled)
            finish()
        }

    private fun FrameCarrier.next(frame: IntArray, fade: Int = 1, divisor: Int = 1): IntArray {
        advance(frame, true)
        return IntArray(frame.size / (divisor * divisor)).also { picture(frame, fade, divisor, it) }
    }

    @Test
    fun whatDidNotMoveLooksAsInTheKeyFrame() {
        val frame = intArrayOf(0xff102030.toInt(), 0xffa0b0c0.toInt(), 0xff000000.toInt(), 0xffffffff.toInt())
        val styled = intArrayOf(0xff405060.toInt(), 0xff806040.toInt(), 0xff203040.toInt(), 0xffe0d0c0.toInt())
        val carrier = carrier(2, frame, styled)
        assertArrayEquals(styled, carrier.next(frame))
        val half = IntArray(1).also { carrier.keyAt(2, it) }
        assertEquals(styled[0], half[0])
    }

    @Test
    fun anotherSceneIsSeenAtOnce() {
        val carrier = carrier(2, grey(0), grey(64))
        carrier.advance(grey(10), true)
        assertEquals(false, carrier.isCut)
        carrier.advance(grey(200), true)
        assertEquals(true, carrier.isCut)
    }

    @Test
    fun aNewKeyComesInLittleByLittle() {
        val carrier = carrier(2, grey(50), grey(100))
        carrier.begin(grey(50))
        grey(180).copyInto(carrier.running.styled)
        carrier.finish()
        assertEquals(listOf(120, 140, 160, 180, 180), List(5) { carrier.next(grey(50), fade = 4)[0] and 255 })
    }

    @Test
    fun aNetworkThatFailedLeavesTheKeyBefore() {
        val carrier = carrier(2, grey(50), grey(100))
        carrier.begin(grey(50))
        grey(180).copyInto(carrier.running.styled)
        carrier.fail()
        assertEquals(100, carrier.next(grey(50))[0] and 255)
    }

    @Test
    fun smallerPicturesTakeTheirOwnPixels() {
        val frame = IntArray(16) { 0xff000000.toInt() + it }
        val carrier = carrier(4, frame, IntArray(16) { 0xff000000.toInt() + it + 100 })
        assertEquals(listOf(100, 102, 108, 110), carrier.next(frame, divisor = 2).map { it and 255 })
    }

    @Test
    fun aPhoneThatIsTooSlowForOpticalFlowGoesWithoutIt() {
        val governor = settled(33, 20, 0.3f)
        repeat(60) { governor.flowTook(500 * ms) } // just being compiled
        assertTrue(governor.follows)
        repeat(60) { governor.flowTook(6 * ms) }
        assertTrue(governor.follows)
        repeat(60) { governor.flowTook(30 * ms) }
        assertEquals(false, governor.follows)
    }

    @Test
    fun aFrameOfAnotherSceneIsAKeyAndNothingIsShownBeforeItIsStyled() {
        val schedule = FrameSchedule(settled(33, 200, Float.NaN))
        fun arrives(isCut: Boolean): Pair<Boolean, Boolean> {
            schedule.arrived(0)
            schedule.begin(isCut)
            return schedule.isKey to schedule.isShown
        }
        assertEquals("the first", true to false, arrives(false))
        assertTrue(schedule.ended(1, false))
        assertEquals("carried", false to true, arrives(false))
        assertEquals("a cut", true to false, arrives(true))
        assertEquals("still unknown", false to false, arrives(true))
        assertTrue("shown as soon as it is styled", schedule.ended(1, false))
        assertEquals(false to true, arrives(false))
    }

    private fun plane(
        width: Int,
        height: Int,
        pixelStride: Int = 1,
        padding: Int = 0,
        value: (Int, Int) -> Int,
    ): YuvPlane {
        val stride = width * pixelStride + padding
        val bytes = ByteBuffer.allocateDirect(stride * height)
        for (y in 0 until height) for (x in 0 until width) bytes.put(y * stride + x * pixelStride, value(x, y).toByte())
        return YuvPlane(bytes, stride, pixelStride)
    }

    private fun frame(rotation: Int, luma: (Int, Int) -> Int, u: Int = 128, v: Int = 128) =
        YuvFrame(
            8,
            4,
            plane(8, 4, padding = 3, value = luma),
            plane(4, 2, pixelStride = 2) { _, _ -> u },
            plane(4, 2, pixelStride = 2) { _, _ -> v },
            rotation,
        )

    private fun read(frame: YuvFrame, width: Int, height: Int) =
        IntArray(width * height).also {
            frame.read(Crop(0, 0, frame.uprightWidth, frame.uprightHeight), width, height, it)
        }

    @Test
    fun coloursAreThoseOfFullRangeBt601() {
        assertEquals(0xff808080.toInt(), read(frame(0, { _, _ -> 128 }), 1, 1)[0])
        assertEquals("red", 0xfffe0000.toInt(), read(frame(0, { _, _ -> 76 }, u = 85, v = 255), 1, 1)[0])
        assertEquals("blue", 0xff0000fe.toInt(), read(frame(0, { _, _ -> 29 }, u = 255, v = 107), 1, 1)[0])
        assertEquals("clamped", 0xffffffff.toInt(), read(frame(0, { _, _ -> 255 }), 1, 1)[0])
    }

    @Test
    fun framesStandUpright() {
        // Bright in the first column of the sensor: left, top, right, bottom, as the sensor is turned.
        for ((rotation, bright) in listOf(0 to "left", 90 to "top", 180 to "right", 270 to "bottom")) {
            val turned = frame(rotation, { x, _ -> if (x < 4) 200 else 0 })
            val (width, height) = turned.uprightWidth to turned.uprightHeight
            assertEquals(if (rotation % 180 == 0) 8 to 4 else 4 to 8, width to height)
            val argb = read(turned, width, height)
            fun level(x: Int, y: Int) = argb[y * width + x] and 255
            val sides =
                mapOf(
                    "left" to level(0, height / 2),
                    "right" to level(width - 1, height / 2),
                    "top" to level(width / 2, 0),
                    "bottom" to level(width / 2, height - 1),
                )
            val other =
                mapOf("left" to "right", "right" to "left", "top" to "bottom", "bottom" to "top").getValue(bright)
            assertTrue("$rotation: $sides", sides.getValue(bright) > 150 && sides.getValue(other) < 50)
        }
        assertThrows(IllegalArgumentException::class.java) { frame(45, { _, _ -> 0 }) }
    }

    @Test
    fun onlyThePartIsRead() {
        val argb = IntArray(4)
        frame(0, { x, _ -> x * 10 }).read(Crop(4, 0, 4, 4), 2, 2, argb)
        assertTrue(argb.all { it and 255 >= 40 })
    }
}
