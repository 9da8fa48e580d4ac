package org.edgebundle.sdk.core

import java.util.concurrent.Callable
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** One call at a time, each of which can be ended while it waits or runs. */
class CallQueueTest {
    private val queue = CallQueue()
    private val threads = Executors.newCachedThreadPool()
    private val begun = CountDownLatch(1)
    private val go = CountDownLatch(1)

    @After
    fun end() {
        go.countDown()
        threads.shutdown()
        assertTrue(threads.awaitTermination(20, TimeUnit.SECONDS))
    }

    private fun <T> later(work: () -> T): Future<T> = threads.submit(Callable(work))

    /** A call that runs until it is let go. */
    private fun running(): Future<String> =
        later {
                queue.Call().run {
                    begun.countDown()
                    go.await()
                    "done"
                }
            }
            .also { begun.await() }

    private fun cause(future: Future<*>) =
        assertThrows(ExecutionException::class.java) { future.get(20, TimeUnit.SECONDS) }.cause

    @Test
    fun cancelEndsACallThatWasMadeButHasNotBegun() {
        val call = queue.Call()
        queue.cancel()
        assertThrows(CancellationException::class.java) { call.run {} }
        assertEquals("later calls are not touched", 3, queue.Call().run { 3 })
    }

    @Test
    fun aWaitingCallEndsWithoutItsTurn() {
        val first = running()
        val made = queue.Call()
        val waiting = later { made.run { "never" } }
        queue.cancel()
        assertTrue(cause(waiting) is CancellationException)
        go.countDown()
        assertTrue(
            "a cancelled call gives nothing, even when its work ended well",
            cause(first) is CancellationException,
        )
    }

    @Test
    fun oneCallIsGivenUpAlone() {
        val first = running()
        val (one, other) = queue.Call() to queue.Call()
        val (given, kept) = later { one.run { 1 } } to later { other.run { 2 } }
        one.giveUp()
        assertTrue(cause(given) is CancellationException)
        go.countDown()
        assertEquals("done" to 2, first.get(20, TimeUnit.SECONDS) to kept.get(20, TimeUnit.SECONDS))
    }

    @Test
    fun closeEndsWhatRunsAndRefusesTheRest() {
        val first = running()
        val made = queue.Call()
        val waiting = later { made.run {} }
        val closed = CountDownLatch(1)
        val closing = later { queue.close { closed.countDown() } }
        assertTrue(cause(waiting).let { it is IllegalStateException && "closed" in it.message.orEmpty() })
        assertEquals("the call in progress still uses the model", 1, closed.count)
        go.countDown()
        closing.get(20, TimeUnit.SECONDS)
        assertEquals(0, closed.count)
        assertTrue(cause(first) is CancellationException)
        queue.close { error("only once") }
        assertThrows(IllegalStateException::class.java) { queue.Call().run {} }
    }

    @Test
    fun aCallInsideACallIsRefusedRatherThanWaitedFor() {
        assertThrows(IllegalStateException::class.java) { queue.Call().run { queue.Call().run {} } }
        assertThrows(IllegalStateException::class.java) { queue.Call().run { queue.close {} } }
        assertEquals(1, queue.Call().run { 1 })
    }

    @Test
    fun aThreadThatIsInterruptedStopsWaiting() {
        running()
        val stopped = later {
            Thread.currentThread().interrupt()
            queue.Call().run {}
        }
        assertTrue(cause(stopped) is CancellationException)
    }
}
