package org.edgebundle.sdk

import org.edgebundle.sdk.core.Artifact
import org.edgebundle.sdk.core.Engine
import org.edgebundle.sdk.core.RuntimeLog
import org.edgebundle.sdk.core.Variant
import org.tensorflow.lite.Interpreter

/** Loads a `.tflite` on the CPU with XNNPACK. */
internal fun openTfliteCpu(variant: Variant, artifact: Artifact, threads: Int, log: RuntimeLog): Engine =
    openTflite(variant, artifact, log) { Interpreter.Options().setNumThreads(threads).setUseXNNPACK(true) }
