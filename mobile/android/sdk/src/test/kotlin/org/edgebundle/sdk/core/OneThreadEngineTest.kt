package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.util.Collections
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Test

/** An engine whose runtime asks for one thread gets one, whatever threads call it. */
class OneThreadEngineTest {
    private val seen = Collections.synchronizedList(ArrayList<Thread>())

    private inner class Watched : Engine {
        override val runtime = "watched"
        override val runtimeVersion = "1"
        override val delegateExecuted = TextReading.of("gpu")
        override val inputBytes = emptyList<Int>()
        override val outputBytes = emptyList<Int>()
        var fails = false

        init {
            seen += Thread.currentThread()
        }

        override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
            seen += Thread.currentThread()
            if (fails) throw BundleError("no context")
        }

        override fun close() {
            seen += Thread.currentThread()
        }
    }

    @Test
    fun itIsMadeRunAndClosedOnOneThread() {
        val engine = OneThreadEngine("test") { Watched() }
        val callers = Executors.newFixedThreadPool(3)
        (0 until 3).map { callers.submit(Callable { engine.run(emptyArray(), emptyArray()) }) }.forEach { it.get() }
        callers.shutdown()
        engine.close()
        engine.close()
        assertEquals(5, seen.size)
        assertEquals(1, seen.toSet().size)
        assertFalse(Thread.currentThread() in seen)
        seen[0].join(20_000)
        assertFalse("its thread ends with it", seen[0].isAlive)
    }

    @Test
    fun whatItThrowsReachesTheCallerAsItIs() {
        val refusal = BundleError("no GPU")
        assertSame(
            refusal,
            assertThrows(BundleError::class.java) {
                OneThreadEngine("test") {
                    seen += Thread.currentThread()
                    throw refusal
                }
            },
        )
        seen[0].join(20_000)
        assertFalse("its thread ends at once", seen[0].isAlive)
        OneThreadEngine("test") { Watched().apply { fails = true } }
            .use {
                assertEquals(
                    "no context",
                    assertThrows(BundleError::class.java) { it.run(emptyArray(), emptyArray()) }.message,
                )
            }
    }

    @Test
    fun anInterruptedCallerWaitsForItsRunAndKeepsTheInterrupt() {
        OneThreadEngine("test") { Watched() }
            .use {
                Thread.currentThread().interrupt()
                it.run(emptyArray(), emptyArray())
                assertEquals(true, Thread.interrupted())
            }
    }
}
