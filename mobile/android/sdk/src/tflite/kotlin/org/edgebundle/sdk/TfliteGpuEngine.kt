package org.edgebundle.sdk

import org.edgebundle.sdk.core.Artifact
import org.edgebundle.sdk.core.Engine
import org.edgebundle.sdk.core.OneThreadEngine
import org.edgebundle.sdk.core.RuntimeLog
import org.edgebundle.sdk.core.Variant
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.GpuDelegate

/**
 * Loads a `.tflite` on the GPU (OpenCL, else OpenGL ES), on a thread of its own: the delegate must be made and run on
 * one thread. Operators that the GPU does not take run on the CPU on [threads]; the delegate's report says so.
 */
internal fun openTfliteGpu(variant: Variant, artifact: Artifact, threads: Int, log: RuntimeLog): Engine =
    OneThreadEngine("edgebundle-gpu") {
        var delegate: GpuDelegate? = null
        openTflite(variant, artifact, log, alsoClose = { delegate?.close() }) {
            delegate = GpuDelegate()
            Interpreter.Options().setNumThreads(threads).setUseXNNPACK(false).addDelegate(delegate)
        }
    }
