package org.edgebundle.sdk

import java.nio.ByteBuffer
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.Engine
import org.edgebundle.sdk.core.TextReading
import org.edgebundle.sdk.core.Variant
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** Loads a `.tflite` on the CPU with XNNPACK; [artifact] stays mapped for the engine's life, its weights are not copied. */
internal fun openTflite(variant: Variant, artifact: ByteBuffer, threads: Int): Engine = try {
    TfliteEngine(artifact, Interpreter(artifact, Interpreter.Options().setNumThreads(threads).setUseXNNPACK(true)))
} catch (error: IllegalArgumentException) {
    throw BundleException("TensorFlow Lite ${TensorFlowLite.runtimeVersion()} refuses variant '${variant.id}': ${error.message}", error)
} catch (error: IllegalStateException) {
    throw BundleException("TensorFlow Lite ${TensorFlowLite.runtimeVersion()} cannot prepare variant '${variant.id}': ${error.message}", error)
} catch (error: UnsatisfiedLinkError) {
    throw BundleException("the TensorFlow Lite library is missing for this device's ABI; install an APK that carries it.", error)
}

/** The interpreter reads its model from [artifact], so the buffer is held as long as the interpreter lives. */
private class TfliteEngine(@Suppress("unused") private val artifact: ByteBuffer, private val interpreter: Interpreter) : Engine {
    override val runtime = "TensorFlow Lite"
    override val runtimeVersion: String = TensorFlowLite.runtimeVersion()
    override val delegateExecuted = TextReading.missing("the Java API of TensorFlow Lite does not report which operators its delegate took")
    override val inputBytes = List(interpreter.inputTensorCount) { interpreter.getInputTensor(it).numBytes() }
    override val outputBytes = List(interpreter.outputTensorCount) { interpreter.getOutputTensor(it).numBytes() }
    private val outputsByIndex = HashMap<Int, Any>()

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        for (buffer in inputs) buffer.clear()
        for (index in outputs.indices) {
            outputs[index].clear()
            outputsByIndex[index] = outputs[index]
        }
        interpreter.runForMultipleInputsOutputs(inputs, outputsByIndex)
    }

    override fun close() = interpreter.close()
}
