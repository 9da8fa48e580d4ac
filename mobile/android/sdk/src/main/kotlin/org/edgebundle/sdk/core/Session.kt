package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/**
 * A loaded variant with the buffers of its tensors, addressed by the manifest's names.
 *
 * Used by one thread at a time. Buffers are made once: filling, running and reading pictures allocates nothing of its
 * own.
 */
class Session(val manifest: Manifest, val variant: Variant, private val engine: Engine) : AutoCloseable {
    val runtime
        get() = engine.runtime

    val runtimeVersion
        get() = engine.runtimeVersion

    val delegateExecuted
        get() = engine.delegateExecuted

    private val inputs = buffers(variant.inputs, engine.inputBytes, "input")
    private val outputs = buffers(variant.outputs, engine.outputBytes, "output")
    private val pictures = HashMap<String, Picture>()

    init {
        for (spec in manifest.inputs) if (spec.isPicture) pictures[spec.name] = picture(spec, variant.inputs, inputs)
        for (spec in manifest.outputs) if (spec.isPicture) pictures[spec.name] = picture(spec, variant.outputs, outputs)
    }

    /** Fills an image input with pixels of exactly its size. */
    fun setPicture(name: String, argb: IntArray) {
        val picture = pictures[name] ?: throw unknown(name)
        picture.codec.encode(argb, picture.values)
    }

    /** Fills an input with logical values. */
    fun setValues(name: String, values: FloatArray) {
        val binding = binding(variant.inputs, name)
        writeValues(values, binding, inputs[binding.index])
    }

    fun run() = engine.run(inputs, outputs)

    /** Reads an image output into [argb]. */
    fun readPicture(name: String, argb: IntArray) {
        val picture = pictures[name] ?: throw unknown(name)
        picture.codec.decode(picture.values, argb)
    }

    /** An output's logical values. */
    fun values(name: String): FloatArray = binding(variant.outputs, name).let { readValues(it, outputs[it.index]) }

    /** The codec of an image input or output. */
    fun codecOf(name: String): PictureCodec = (pictures[name] ?: throw unknown(name)).codec

    override fun close() = engine.close()

    /** An image tensor: its arithmetic and its buffer as floats. */
    private class Picture(val codec: PictureCodec, val values: FloatBuffer)

    private fun picture(spec: TensorSpec, bindings: List<Binding>, buffers: Array<ByteBuffer>): Picture {
        val binding = binding(bindings, spec.name)
        return Picture(PictureCodec(spec, binding), buffers[binding.index].asFloatBuffer())
    }

    private fun binding(all: List<Binding>, name: String) = all.firstOrNull { it.name == name } ?: throw unknown(name)

    private fun unknown(name: String) =
        BundleError("variant '${variant.id}' has no tensor '$name'; package the bundle again.")

    private fun buffers(bindings: List<Binding>, sizes: List<Int>, what: String): Array<ByteBuffer> {
        val expected = bindings.sortedBy { it.index }.map { it.bytes }
        if (expected != sizes) {
            throw BundleError(
                "variant '${variant.id}' has ${what}s of $sizes bytes but the manifest says $expected; package the bundle again."
            )
        }
        return Array(sizes.size) { ByteBuffer.allocateDirect(sizes[it]).order(ByteOrder.nativeOrder()) }
    }
}
