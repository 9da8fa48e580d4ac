package org.edgebundle.sdk.core

import java.nio.ByteBuffer

/** Logical values (NCHW for images) -> the artifact's layout and type, into [target]. */
fun writeValues(values: FloatArray, binding: Binding, target: ByteBuffer) {
    require(values.size == binding.count) { "${binding.name} takes ${binding.count} values, not ${values.size}" }
    target.clear()
    for (at in values.indices) {
        val value = values[logicalIndex(at, binding)]
        when (binding.dtype) {
            Binding.INT32 -> target.putInt(value.toInt())
            Binding.INT64 -> target.putLong(value.toLong())
            else -> target.putFloat(value)
        }
    }
}

/** The artifact's tensor in [source] -> logical values. */
fun readValues(binding: Binding, source: ByteBuffer): FloatArray {
    source.clear()
    val values = FloatArray(binding.count)
    for (at in values.indices) {
        values[logicalIndex(at, binding)] =
            when (binding.dtype) {
                Binding.INT32 -> source.getInt().toFloat()
                Binding.INT64 -> source.getLong().toFloat()
                else -> source.getFloat()
            }
    }
    return values
}

/** Where the artifact's element [at] stands in the logical tensor. */
private fun logicalIndex(at: Int, binding: Binding): Int {
    if (binding.layout != Binding.NHWC) return at
    val (_, height, width, channels) = binding.shape
    val plane = height * width
    val image = at / (plane * channels)
    val pixel = at / channels % plane
    return (image * channels + at % channels) * plane + pixel
}
