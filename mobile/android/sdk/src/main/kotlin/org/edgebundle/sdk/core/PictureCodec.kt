package org.edgebundle.sdk.core

import java.nio.FloatBuffer

/**
 * Between pixels and the tensor of one artifact: the arithmetic of builder/bundle/tensors.py, step by step in float32.
 *
 * Takes and gives pixels of exactly the tensor's size. Its buffers are reused: nothing is allocated per picture, and
 * one codec serves one thread.
 */
class PictureCodec(private val spec: TensorSpec, binding: Binding) {
    private val pixelCount = spec.width * spec.height
    private val values = FloatArray(pixelCount * CHANNELS)
    private val interleaved = binding.layout == Binding.NHWC
    private val low = (spec.range?.first ?: 0.0).toFloat()
    private val width = (spec.range?.second ?: 1.0).toFloat() - low
    private val mean = FloatArray(CHANNELS) { (spec.mean?.get(it) ?: 0.0).toFloat() }
    private val std = FloatArray(CHANNELS) { (spec.std?.get(it) ?: 1.0).toFloat() }
    private val normalized = spec.mean != null && spec.std != null

    /** Values are already 0..1: nothing to undo, and the arithmetic would give the same bits. */
    private val unit = !normalized && low == 0f && width == 1f

    /** By channel of the model, the value of each of the 256 levels. */
    private val levels: Array<FloatArray>

    init {
        if (!spec.isPicture || binding.dtype != Binding.FLOAT32) {
            throw BundleError(
                "'${spec.name}' is no float32 picture of shape [1, 3, height, width]; it cannot be filled from pixels."
            )
        }
        levels = Array(CHANNELS) { channel -> FloatArray(LEVELS) { level -> fromUnit(level / 255f, channel) } }
    }

    /** Writes [argb] (alpha is ignored) as the model's input into [target]. */
    fun encode(argb: IntArray, target: FloatBuffer) {
        require(argb.size == pixelCount) { "${spec.name} takes $pixelCount pixels, not ${argb.size}" }
        val (first, second, third) = levels
        val firstShift = shiftOf(0)
        val thirdShift = shiftOf(2)
        val values = values
        if (interleaved) {
            var at = 0
            for (pixel in argb) {
                values[at] = first[pixel shr firstShift and BYTE]
                values[at + 1] = second[pixel shr GREEN and BYTE]
                values[at + 2] = third[pixel shr thirdShift and BYTE]
                at += CHANNELS
            }
        } else {
            for (i in argb.indices) {
                val pixel = argb[i]
                values[i] = first[pixel shr firstShift and BYTE]
                values[pixelCount + i] = second[pixel shr GREEN and BYTE]
                values[2 * pixelCount + i] = third[pixel shr thirdShift and BYTE]
            }
        }
        target.clear()
        target.put(values)
    }

    /**
     * Reads the model's output in [source] into opaque [argb], clamped and rounded half up; what is not a number
     * becomes 0.
     */
    fun decode(source: FloatBuffer, argb: IntArray) {
        require(argb.size == pixelCount) { "${spec.name} gives $pixelCount pixels, not ${argb.size}" }
        source.clear()
        source.get(values)
        if (!unit) toUnit()
        val values = values
        val firstShift = shiftOf(0)
        val thirdShift = shiftOf(2)
        val pixelStep = if (interleaved) CHANNELS else 1
        val channelStep = if (interleaved) 1 else pixelCount
        var at = 0
        for (i in argb.indices) {
            argb[i] =
                OPAQUE or
                    (level(values[at]) shl firstShift) or
                    (level(values[at + channelStep]) shl GREEN) or
                    (level(values[at + 2 * channelStep]) shl thirdShift)
            at += pixelStep
        }
    }

    /** The values that pixels, however many, stand for: channel by channel, as goldens are compared. */
    fun logical(argb: IntArray): FloatArray =
        FloatArray(CHANNELS * argb.size) { i ->
            val channel = i / argb.size
            levels[channel][(argb[i % argb.size] shr shiftOf(channel)) and BYTE]
        }

    private fun fromUnit(unit: Float, channel: Int): Float =
        if (normalized) (unit - mean[channel]) / std[channel] else low + unit * width

    /** From the model's range to 0..1, in place. */
    private fun toUnit() {
        for (channel in 0 until CHANNELS) {
            var at = if (interleaved) channel else channel * pixelCount
            val step = if (interleaved) CHANNELS else 1
            repeat(pixelCount) {
                values[at] = if (normalized) values[at] * std[channel] + mean[channel] else (values[at] - low) / width
                at += step
            }
        }
    }

    private fun level(unit: Float): Int {
        val scaled = unit * 255f
        return if (scaled >= 255f) BYTE else if (scaled > 0f) (scaled + 0.5f).toInt() else 0
    }

    /** Bits of the ARGB pixel that hold the colour of the model's [channel]. */
    private fun shiftOf(channel: Int): Int = 8 * (if (spec.bgr) channel else CHANNELS - 1 - channel)

    private companion object {
        const val CHANNELS = 3
        const val LEVELS = 256
        const val BYTE = 0xff
        const val GREEN = 8
        const val OPAQUE = 0xff shl 24
    }
}
