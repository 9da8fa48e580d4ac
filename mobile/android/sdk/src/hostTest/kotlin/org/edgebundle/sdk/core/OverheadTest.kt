package org.edgebundle.sdk.core

import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Test

/**
 * What the library itself costs around an inference, for a 512x512 picture on this JVM: pixels to tensor and tensor to pixels. The
 * caller reads the figures from `out/overhead.json`; time is judged by the benchmark alone, allocations here.
 */
class OverheadTest {
    private val size = 512
    private val spec = TensorSpec("image", "image", listOf(1, 3, size, size), false, 0.0 to 1.0, null, null, "stretch", null)
    private val result = TensorSpec("stylized", "image", listOf(1, 3, size, size), false, 0.0 to 1.0, null, null, null, null)

    /** An engine that copies its input: all that is measured is ours. */
    private class Copying(bytes: Int) : Engine {
        override val runtime = "copy"
        override val runtimeVersion = "1"
        override val delegateExecuted = TextReading.of("cpu")
        override val inputBytes = listOf(bytes)
        override val outputBytes = listOf(bytes)

        override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
            inputs[0].clear()
            outputs[0].clear()
            outputs[0].put(inputs[0])
        }

        override fun close() = Unit
    }

    private fun session(layout: String): Session {
        val shape = if (layout == "NHWC") listOf(1, size, size, 3) else listOf(1, 3, size, size)
        val variant = Variant("v", "tflite", "xnnpack", "v", 0, "", listOf(Binding("image", 0, layout, shape, "float32")), listOf(Binding("stylized", 0, layout, shape, "float32")))
        return Session(Manifest("m", listOf(spec), listOf(result), listOf(variant), emptyList()), variant, Copying(4 * 3 * size * size))
    }

    @Test
    fun aFrameAllocatesNothingAndTakesLittle() {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val figures = JSONObject()
        for (layout in listOf("NHWC", "NCHW")) {
            val session = session(layout)
            val pixels = IntArray(size * size) { 0xff shl 24 or (it * 2654435761L).toInt().ushr(8) }
            val out = IntArray(size * size)
            fun frame() {
                session.setPicture("image", pixels)
                session.picture("stylized", out)
            }
            repeat(WARM) { frame() }
            session.run()
            session.picture("stylized", out)
            assertEquals("pixels come back as they went", pixels.toList(), out.toList())
            val times = LongArray(FRAMES)
            // Their own first calls allocate.
            repeat(3) { threads.currentThreadCpuTime + threads.currentThreadAllocatedBytes }
            val before = threads.currentThreadAllocatedBytes
            for (i in times.indices) {
                // The thread's own time: on a shared machine the clock on the wall counts what others do.
                val start = threads.currentThreadCpuTime
                frame()
                times[i] = threads.currentThreadCpuTime - start
            }
            val allocated = threads.currentThreadAllocatedBytes - before
            assertEquals("$layout: bytes allocated in $FRAMES frames", 0L, allocated)
            times.sort()
            figures.put(layout, JSONObject().put("median_ms", times[FRAMES / 2] / 1e6).put("p90_ms", times[FRAMES * 9 / 10] / 1e6).put("bytes_per_frame", allocated / FRAMES))
        }
        File(TEST_DATA, "out/overhead.json").writeText(figures.toString())
    }

    private companion object {
        const val WARM = 200
        const val FRAMES = 60
    }
}
