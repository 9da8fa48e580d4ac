package org.edgebundle.sdk.core

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
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

    private companion object {
        const val WARM = 60
        const val FRAMES = 60
    }
}
