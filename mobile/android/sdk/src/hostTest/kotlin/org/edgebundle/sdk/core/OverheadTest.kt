package org.edgebundle.sdk.core

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.util.concurrent.Semaphore
import org.junit.Assert.assertEquals
import org.junit.Test

/** What the library allocates around an inference once it is warm; its time is measured by [FrameBenchmark]. */
class OverheadTest {
    @Test
    fun aFrameAllocatesNothing() {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        for (layout in listOf("NHWC", "NCHW")) {
            val frame = Frame(layout)
            repeat(WARM) { frame.once() }
            assertEquals("pixels come back as they went", frame.pixels.toList(), frame.out.toList())
            fun allocated(): Long {
                val before = threads.currentThreadAllocatedBytes
                repeat(FRAMES) { frame.once() }
                return threads.currentThreadAllocatedBytes - before
            }
            allocated() // counting for the first time allocates itself
            assertEquals("$layout: bytes allocated in $FRAMES frames", 0L, allocated())
        }
    }

    @Test
    fun carryingAStyledPictureAllocatesNothing() {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val carrying = Carrying()
        repeat(WARM) { carrying.once() }
        fun allocated(): Long {
            val before = threads.currentThreadAllocatedBytes
            repeat(FRAMES) { carrying.once() }
            return threads.currentThreadAllocatedBytes - before
        }
        allocated()
        assertEquals("bytes allocated in $FRAMES frames", 0L, (0 until 3).minOf { allocated() })
    }

    /**
     * The caller's thread and the one that shows, once they are warm; what the network's runtime allocates is its own.
     */
    @Test
    fun aFrameOfAVideoAllocatesNothing() {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val shown = Semaphore(0)
        val stages =
            object : FrameStages {
                override fun network(frame: IntArray, styled: IntArray): Long {
                    System.arraycopy(frame, 0, styled, 0, frame.size)
                    return 1
                }

                override fun show(picture: IntArray, width: Int, height: Int) = shown.release()

                override fun failed(error: Throwable) = throw error

                override fun headroom() = Float.NaN
            }
        val pipeline = FramePipeline(SIDE, SIDE, stages)
        val shower = Thread.getAllStackTraces().keys.single { it.name == "edgebundle-frames" && it.isAlive }
        fun frames() =
            repeat(FRAMES) {
                while (!shown.tryAcquire()) {
                    pipeline.submit { it.fill(OPAQUE) }
                    Thread.onSpinWait()
                }
            }
        repeat(5) { frames() }
        fun allocated(): Long {
            val before = threads.currentThreadAllocatedBytes + threads.getThreadAllocatedBytes(shower.id)
            frames()
            return threads.currentThreadAllocatedBytes + threads.getThreadAllocatedBytes(shower.id) - before
        }
        allocated()
        assertEquals("bytes allocated in $FRAMES frames", 0L, (0 until 3).minOf { allocated() })
        pipeline.close()
    }

    private companion object {
        const val SIDE = 16
        const val OPAQUE = 0xff shl 24
        const val WARM = 60
        const val FRAMES = 60
    }
}
