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
        session.readPicture("stylized", out)
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

/** What carrying a styled picture to a moving frame of 256 x 256 pixels costs: its optical flow, and the picture. */
@State(Scope.Thread)
open class CarryBenchmark {
    private val carrying = Carrying()

    @Benchmark fun carry() = carrying.once()
}

/** Frames of a texture that moves, and two keys of which the pictures are mixed. */
internal class Carrying {
    private val frames = Array(8) { n -> IntArray(SIZE * SIZE) { Texture.pixel(it / SIZE + n, it % SIZE + 2 * n) } }
    private val carrier = FrameCarrier(SIZE, SIZE)
    private val out = IntArray(SIZE * SIZE)
    private var at = 0

    init {
        repeat(2) {
            carrier.advance(frames[0], true)
            carrier.begin(frames[0])
            frames[0].copyInto(carrier.running.styled)
            carrier.finish()
        }
    }

    /** One frame, with all that is done for it. The texture goes to and fro, so that the keys stay in sight. */
    fun once(): IntArray {
        at = (at + 1) % (2 * frames.size - 2)
        val frame = frames[if (at < frames.size) at else 2 * frames.size - 2 - at]
        carrier.advance(frame, true)
        carrier.picture(frame, Int.MAX_VALUE / 16, 1, out)
        return out
    }

    private companion object {
        const val SIZE = 256
    }
}
