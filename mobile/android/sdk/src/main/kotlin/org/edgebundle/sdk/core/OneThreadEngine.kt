package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/**
 * An engine that is made, run and closed on one thread of its own, whatever threads call it: the GPU delegate of
 * TensorFlow Lite runs on the thread that made it alone, because its OpenGL context belongs to that thread. What [open]
 * throws is thrown to the caller, and the thread ends.
 */
class OneThreadEngine(name: String, open: () -> Engine) : Engine {
    private val thread: ExecutorService =
        Executors.newSingleThreadExecutor { Thread(it, name).apply { isDaemon = true } }
    private val engine: Engine
    private lateinit var inputs: Array<ByteBuffer>
    private lateinit var outputs: Array<ByteBuffer>
    private val job = Callable { engine.run(inputs, outputs) }

    init {
        var made: Engine? = null
        try {
            engine = on(Callable(open)).also { made = it }
        } finally {
            if (made == null) thread.shutdown()
        }
    }

    override val runtime = engine.runtime
    override val runtimeVersion = engine.runtimeVersion
    override val delegateExecuted = engine.delegateExecuted
    override val inputBytes = engine.inputBytes
    override val outputBytes = engine.outputBytes

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        this.inputs = inputs
        this.outputs = outputs
        on(job)
    }

    override fun close() {
        if (thread.isShutdown) return
        on(Callable { engine.close() })
        thread.shutdown()
    }

    private fun <T> on(work: Callable<T>): T {
        val waiting = thread.submit(work)
        var interrupted = false
        try {
            while (true) {
                try {
                    return waiting.get()
                } catch (_: InterruptedException) {
                    interrupted =
                        true // a runtime cannot be stopped in the middle: its buffers are in use until it ends
                } catch (error: ExecutionException) {
                    throw error.cause ?: error
                }
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt()
        }
    }
}
