package org.edgebundle.sdk

import java.lang.reflect.InvocationTargetException
import java.nio.ByteBuffer
import org.edgebundle.sdk.core.Artifact
import org.edgebundle.sdk.core.Binding
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.Engine
import org.edgebundle.sdk.core.RuntimeLog
import org.edgebundle.sdk.core.TextReading
import org.edgebundle.sdk.core.Variant
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/**
 * Loads a `.pte` by ExecuTorch; the delegate is part of the file. It wants a path, so the artifact is copied out of the
 * app once.
 */
@Suppress("UNUSED_PARAMETER") // its Java API tells the delegates itself, no log is read
internal fun openExecutorch(variant: Variant, artifact: Artifact, threads: Int, log: RuntimeLog): Engine =
    try {
        ExecutorchEngine(
            variant,
            Module.load(artifact.file().path, Module.LOAD_MODE_MMAP, threads).also { loadMethod(it, variant) },
        )
    } catch (error: RuntimeException) { // its own exceptions are of this kind
        throw refusal(variant, error.message, error)
    } catch (error: LinkageError) { // UnsatisfiedLinkError at first, NoClassDefFoundError each time after it
        throw BundleError(
            "the ExecuTorch library is missing on this device, so variant '${variant.id}' cannot run: ${error.message?.lineSequence()?.first()}",
            error,
        )
    }

private const val METHOD = "forward"

/**
 * Prepares the network now rather than at its first picture. Called by name: older versions return the number of an
 * error, newer ones throw.
 */
private fun loadMethod(module: Module, variant: Variant) {
    val problem =
        try {
            Module::class
                .java
                .getMethod("loadMethod", String::class.java)
                .invoke(module, METHOD)
                .takeIf { it is Int && it != 0 }
                ?.let { "error $it" } ?: return
        } catch (error: InvocationTargetException) {
            error.targetException.message
        }
    module.destroy()
    throw refusal(variant, problem, null)
}

private fun refusal(variant: Variant, problem: String?, cause: Throwable?) =
    BundleError(
        "ExecuTorch refuses variant '${variant.id}': $problem; this app's ExecuTorch may be older than the one the bundle was made for.",
        cause,
    )

/**
 * Tensors are views of the session's buffers, made on the first run and used again as long as the buffers are the same.
 */
private class ExecutorchEngine(private val variant: Variant, private val module: Module) : Engine {
    override val runtime = "ExecuTorch"

    /** Its Java API does not tell; the bundle says which one it needs at least. */
    override val runtimeVersion = "not told by its Java API"
    override val delegateExecuted: TextReading =
        module.getMethodMetadata(METHOD).backends.let { backends ->
            if (backends.isEmpty()) TextReading.of("none")
            else TextReading.of(backends.joinToString { NAMES[it] ?: it })
        }
    override val inputBytes = variant.inputs.sortedBy { it.index }.map { it.bytes }
    override val outputBytes = variant.outputs.sortedBy { it.index }.map { it.bytes }
    private var filled: Array<ByteBuffer>? = null
    private var arguments = emptyArray<EValue>()

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        if (filled !== inputs) {
            arguments = variant.inputs.sortedBy { it.index }.map { argument(it, inputs[it.index]) }.toTypedArray()
            filled = inputs
        }
        val results =
            try {
                module.forward(*arguments)
            } catch (error: RuntimeException) {
                throw BundleError("ExecuTorch cannot run variant '${variant.id}': ${error.message}", error)
            }
        for (binding in variant.outputs) write(results[binding.index].toTensor(), binding, outputs[binding.index])
    }

    override fun close() = module.destroy()

    private fun argument(binding: Binding, buffer: ByteBuffer): EValue {
        buffer.clear()
        val shape = LongArray(binding.shape.size) { binding.shape[it].toLong() }
        return EValue.from(
            when (binding.dtype) {
                Binding.INT32 -> Tensor.fromBlob(buffer.asIntBuffer(), shape)
                Binding.INT64 -> Tensor.fromBlob(buffer.asLongBuffer(), shape)
                else -> Tensor.fromBlob(buffer.asFloatBuffer(), shape)
            }
        )
    }

    private fun write(tensor: Tensor, binding: Binding, target: ByteBuffer) {
        target.clear()
        when (binding.dtype) {
            Binding.INT32 -> target.asIntBuffer().put(tensor.dataAsIntArray)
            Binding.INT64 -> target.asLongBuffer().put(tensor.dataAsLongArray)
            else -> target.asFloatBuffer().put(tensor.dataAsFloatArray)
        }
    }

    private companion object {
        val NAMES = mapOf("XnnpackBackend" to "xnnpack", "VulkanBackend" to "vulkan")
    }
}
