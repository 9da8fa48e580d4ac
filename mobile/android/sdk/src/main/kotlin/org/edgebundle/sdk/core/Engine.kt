package org.edgebundle.sdk.core

import java.io.File
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

    /**
     * One inference. The arrays are as long as [inputBytes] and [outputBytes], and the same ones in every call. Throws
     * [BundleError] when the runtime gives up.
     */
    fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>)
}

/**
 * A variant's file, whose hash was checked: mapped for runtimes that read memory, as a [file] for those that want a
 * path.
 */
class Artifact(val mapped: ByteBuffer, private val copy: () -> File) {
    /** The artifact as a file of its own, made on the first call. Throws `java.io.IOException`. */
    fun file(): File = copy()
}

/**
 * Loads an artifact on a number of threads, reading in [RuntimeLog] what its delegate took. Throws [BundleError] when
 * the runtime refuses it or a library is missing.
 */
fun interface EngineFactory {
    fun open(variant: Variant, artifact: Artifact, threads: Int, log: RuntimeLog): Engine
}

/** Key of an engine in the table of a flavour. */
fun engineKey(variant: Variant) = "${variant.backend}-${variant.delegate}"
