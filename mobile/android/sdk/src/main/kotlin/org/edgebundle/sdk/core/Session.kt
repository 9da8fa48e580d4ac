package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A loaded variant with the buffers of its tensors, addressed by the manifest's names. Used by one thread at a time. */
class Session(val manifest: Manifest, val variant: Variant, private val engine: Engine) : AutoCloseable {
    val runtime get() = engine.runtime
    val runtimeVersion get() = engine.runtimeVersion
    val delegateExecuted get() = engine.delegateExecuted

    private val inputs = buffers(variant.inputs, engine.inputBytes, "input")
    private val outputs = buffers(variant.outputs, engine.outputBytes, "output")
    private val codecs = HashMap<String, PictureCodec>()

    /** Fills an image input with pixels of exactly its size. */
    fun setPicture(name: String, argb: IntArray) {
        val binding = binding(variant.inputs, name)
        codec(spec(manifest.inputs, name), binding).encode(argb, inputs[binding.index])
    }

    /** Fills an input with logical values. */
    fun setValues(name: String, values: FloatArray) {
        val binding = binding(variant.inputs, name)
        writeValues(values, binding, inputs[binding.index])
    }

    fun run() = engine.run(inputs, outputs)

    /** Reads an image output into [argb]. */
    fun picture(name: String, argb: IntArray) {
        val binding = binding(variant.outputs, name)
        codec(spec(manifest.outputs, name), binding).decode(outputs[binding.index], argb)
    }

    /** An output's logical values. */
    fun values(name: String): FloatArray = binding(variant.outputs, name).let { readValues(it, outputs[it.index]) }

    /** The codec of an image input or output. */
    fun codecOf(name: String): PictureCodec {
        val output = manifest.outputs.firstOrNull { it.name == name }
        return if (output != null) codec(output, binding(variant.outputs, name)) else codec(spec(manifest.inputs, name), binding(variant.inputs, name))
    }

    override fun close() = engine.close()

    private fun codec(spec: TensorSpec, binding: Binding) = codecs.getOrPut(spec.name) { PictureCodec(spec, binding) }

    private fun spec(all: List<TensorSpec>, name: String) = all.firstOrNull { it.name == name } ?: throw unknown(name)

    private fun binding(all: List<Binding>, name: String) = all.firstOrNull { it.name == name } ?: throw unknown(name)

    private fun unknown(name: String) = BundleException("variant '${variant.id}' has no tensor '$name'; package the bundle again.")

    private fun buffers(bindings: List<Binding>, sizes: List<Int>, what: String): Array<ByteBuffer> {
        val expected = bindings.sortedBy { it.index }.map { it.bytes }
        if (expected != sizes) {
            throw BundleException("variant '${variant.id}' has ${what}s of $sizes bytes but the manifest says $expected; package the bundle again.")
        }
        return Array(sizes.size) { ByteBuffer.allocateDirect(sizes[it]).order(ByteOrder.nativeOrder()) }
    }
}
