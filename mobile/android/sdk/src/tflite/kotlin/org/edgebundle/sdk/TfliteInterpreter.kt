package org.edgebundle.sdk

import java.nio.ByteBuffer
import org.edgebundle.sdk.core.Artifact
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.Engine
import org.edgebundle.sdk.core.RuntimeLog
import org.edgebundle.sdk.core.TextReading
import org.edgebundle.sdk.core.Variant
import org.edgebundle.sdk.core.during
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** What the engines of TensorFlow Lite share: the mapped artifact in an interpreter, its refusals in words. */
internal fun openTflite(
    variant: Variant,
    artifact: Artifact,
    log: RuntimeLog,
    alsoClose: () -> Unit = {},
    options: () -> Interpreter.Options,
): Engine {
    var engine: Engine? = null
    try {
        val (interpreter, delegate) = log.during { Interpreter(artifact.mapped, options()) }
        return TfliteEngine(variant.id, artifact.mapped, interpreter, delegate, alsoClose).also { engine = it }
    } catch (error: IllegalArgumentException) {
        throw BundleError("TensorFlow Lite ${version()} refuses variant '${variant.id}': ${error.message}", error)
    } catch (error: IllegalStateException) {
        throw BundleError(
            "TensorFlow Lite ${version()} cannot prepare variant '${variant.id}': ${error.message}",
            error,
        )
    } catch (error: LinkageError) { // UnsatisfiedLinkError at first, NoClassDefFoundError each time after it
        throw BundleError(
            "the library of TensorFlow Lite for ${variant.delegate} is missing on this device, so variant '${variant.id}' cannot run: ${error.message?.lineSequence()?.first()}",
            error,
        )
    } finally {
        if (engine == null) alsoClose()
    }
}

private fun version(): String = TensorFlowLite.runtimeVersion()

/**
 * The interpreter reads its model from [artifact], so the buffer is held as long as the interpreter lives: its weights
 * are not copied.
 */
private class TfliteEngine(
    private val variant: String,
    @Suppress("unused") private val artifact: ByteBuffer,
    private val interpreter: Interpreter,
    override val delegateExecuted: TextReading,
    private val alsoClose: () -> Unit,
) : Engine {
    override val runtime = "TensorFlow Lite"
    override val runtimeVersion: String = version()
    override val inputBytes = List(interpreter.inputTensorCount) { interpreter.getInputTensor(it).numBytes() }
    override val outputBytes = List(interpreter.outputTensorCount) { interpreter.getOutputTensor(it).numBytes() }
    private val outputsByIndex = HashMap<Int, Any>()

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        for (buffer in inputs) buffer.clear()
        for (index in outputs.indices) {
            outputs[index].clear()
            outputsByIndex[index] = outputs[index]
        }
        try {
            interpreter.runForMultipleInputsOutputs(inputs, outputsByIndex)
        } catch (error: RuntimeException) { // the interpreter's own words: a GPU may refuse a model as late as here
            throw BundleError("TensorFlow Lite $runtimeVersion cannot run variant '$variant': ${error.message}", error)
        }
    }

    override fun close() {
        interpreter.close()
        alsoClose()
    }
}
