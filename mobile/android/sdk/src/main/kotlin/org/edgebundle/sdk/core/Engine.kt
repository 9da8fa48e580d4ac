package org.edgebundle.sdk.core

import java.nio.ByteBuffer

/**
 * One artifact loaded in its runtime. Buffers are direct, in native byte order, in the artifact's own order of tensors;
 * sizes are in bytes. An engine is used by one thread at a time.
 */
interface Engine : AutoCloseable {
    /** What executes, as run records name it. */
    val runtime: String
    val runtimeVersion: String

    /** The delegate that the runtime reports, or why it does not say. */
    val delegateExecuted: TextReading
    val inputBytes: List<Int>
    val outputBytes: List<Int>

    /** One inference. The arrays are as long as [inputBytes] and [outputBytes]. */
    fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>)
}

/** Loads a mapped artifact on a number of threads. Throws [BundleException] when the runtime refuses it. */
fun interface EngineFactory {
    fun open(variant: Variant, artifact: ByteBuffer, threads: Int): Engine
}

/** Key of an engine in the table of a flavour. */
fun engineKey(variant: Variant) = "${variant.backend}-${variant.delegate}"
