package org.edgebundle.sdk.core

import java.nio.ByteBuffer

/**
 * Between pixels and the tensor of one artifact: the arithmetic of builder/bundle/tensors.py, step by step in float32.
 *
 * Takes and gives pixels of exactly the tensor's size. Its buffers are reused: nothing is allocated per picture, and one
 * codec serves one thread.
 */
class PictureCodec(private val spec: TensorSpec, binding: Binding) {
    private val pixelCount = spec.width * spec.height
    private val values = FloatArray(pixelCount * CHANNELS)
    private val pixelStep: Int
    private val channelStep: Int
    private val low = (spec.range?.first ?: 0.0).toFloat()
    private val width = (spec.range?.second ?: 1.0).toFloat() - low

    /** By channel of the model, the value of each of the 256 levels. */
    private val levels: Array<FloatArray>

    init {
        if (!spec.isImage || spec.shape.size != 4 || spec.shape[0] != 1 || spec.shape[1] != CHANNELS || binding.dtype != Binding.FLOAT32) {
            throw BundleException("'${spec.name}' is no float32 picture of shape [1, 3, height, width]; it cannot be filled from pixels.")
        }
        val interleaved = binding.layout == Binding.NHWC
        pixelStep = if (interleaved) CHANNELS else 1
        channelStep = if (interleaved) 1 else pixelCount
        levels = Array(CHANNELS) { channel -> FloatArray(256) { level -> fromUnit(level / 255f, channel) } }
    }

    /** Writes [argb] (alpha is ignored) as the model's input into [target]. */
    fun encode(argb: IntArray, target: ByteBuffer) {
        require(argb.size == pixelCount) { "${spec.name} takes $pixelCount pixels, not ${argb.size}" }
        for (channel in 0 until CHANNELS) {
            val table = levels[channel]
            val shift = shiftOf(channel)
            var at = channel * channelStep
            for (pixel in argb) {
                values[at] = table[(pixel shr shift) and 0xff]
                at += pixelStep
            }
        }
        target.clear()
        target.asFloatBuffer().put(values)
    }

    /** Reads the model's output in [source] into opaque [argb], clamped and rounded half up. */
    fun decode(source: ByteBuffer, argb: IntArray) {
        require(argb.size == pixelCount) { "${spec.name} gives $pixelCount pixels, not ${argb.size}" }
        source.clear()
        source.asFloatBuffer().get(values)
        argb.fill(OPAQUE)
        for (channel in 0 until CHANNELS) {
            val shift = shiftOf(channel)
            var at = channel * channelStep
            for (i in 0 until pixelCount) {
                argb[i] = argb[i] or (level(values[at], channel) shl shift)
                at += pixelStep
            }
        }
    }

    /** The values that pixels stand for, in logical order, as goldens are compared. */
    fun logical(argb: IntArray): FloatArray = FloatArray(values.size) { i ->
        val channel = i / pixelCount
        levels[channel][(argb[i % pixelCount] shr shiftOf(channel)) and 0xff]
    }

    private fun fromUnit(unit: Float, channel: Int): Float =
        if (spec.mean != null && spec.std != null) {
            (unit - spec.mean[channel].toFloat()) / spec.std[channel].toFloat()
        } else {
            low + unit * width
        }

    private fun level(value: Float, channel: Int): Int {
        val unit = if (spec.mean != null && spec.std != null) {
            value * spec.std[channel].toFloat() + spec.mean[channel].toFloat()
        } else {
            (value - low) / width
        }
        return ((unit * 255f).coerceIn(0f, 255f) + 0.5f).toInt()
    }

    /** Bits of the ARGB pixel that hold the colour of the model's [channel]. */
    private fun shiftOf(channel: Int): Int = 8 * (if (spec.bgr) channel else CHANNELS - 1 - channel)

    private companion object {
        const val CHANNELS = 3
        const val OPAQUE = 0xff shl 24
    }
}
