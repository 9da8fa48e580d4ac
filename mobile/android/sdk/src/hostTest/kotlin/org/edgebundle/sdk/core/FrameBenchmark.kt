package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import org.openjdk.jmh.annotations.Benchmark
import org.openjdk.jmh.annotations.Param
import org.openjdk.jmh.annotations.Scope
import org.openjdk.jmh.annotations.Setup
import org.openjdk.jmh.annotations.State

/**
 * What the library itself costs around an inference, for a picture of 512x512: pixels to tensor, and tensor to pixels.
 * Measured by JMH.
 */
@State(Scope.Thread)
open class FrameBenchmark {
    @JvmField @Param("NHWC", "NCHW") var layout = ""
    private lateinit var frame: Frame

    @Setup
    fun open() {
        frame = Frame(layout)
    }

    @Benchmark fun frame() = frame.once()
}

/** A frame of noise, and a session whose engine copies its input: all that is left is ours. */
internal class Frame(layout: String) {
    val pixels = IntArray(SIZE * SIZE) { 0xff shl 24 or (it * 2654435761L).toInt().ushr(8) }
    val out = IntArray(SIZE * SIZE)
    val session: Session

    init {
        val input =
            TensorSpec("image", "image", listOf(1, 3, SIZE, SIZE), false, 0.0 to 1.0, null, null, "stretch", null)
        val output =
            TensorSpec("stylized", "image", listOf(1, 3, SIZE, SIZE), false, 0.0 to 1.0, null, null, null, null)
        val shape = if (layout == "NHWC") listOf(1, SIZE, SIZE, 3) else listOf(1, 3, SIZE, SIZE)
        val variant =
            Variant(
                "v",
                "tflite",
                "xnnpack",
                "v",
                0,
                "",
                listOf(Binding("image", 0, layout, shape, "float32")),
                listOf(Binding("stylized", 0, layout, shape, "float32")),
            )
        session =
            Session(
                Manifest("m", listOf(input), listOf(output), listOf(variant), emptyList()),
                variant,
                Copying(4 * 3 * SIZE * SIZE),
            )
        session.setPicture("image", pixels)
        session.run()
    }

    /** All that the library does for a frame, without the network. */
    fun once() {
        session.setPicture("image", pixels)
        session.picture("stylized", out)
    }

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

    private companion object {
        const val SIZE = 512
    }
}
