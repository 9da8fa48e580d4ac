package org.edgebundle.sdk.core

import java.util.concurrent.CancellationException

/**
 * One call at a time, in any order of those that wait; each can be cancelled while it waits or runs (docs/sdk-rules.md,
 * "Cancel").
 *
 * A call is numbered when it is made. [cancel] ends all that were made before it, [close] all for ever.
 */
internal class CallQueue {
    private val monitor = Object()
    private var given = 0L
    private var running: Thread? = null

    @Volatile private var cancelledTo = 0L

    @Volatile
    var isClosed = false
        private set

    /** A call that was made now. It may be used for one [run] after another by [renew]. */
    inner class Call {
        @Volatile private var number = 0L

        @Volatile private var givenUp = false

        init {
            renew()
        }

        fun renew() = synchronized(monitor) { number = ++given }

        /** Ends this call alone. */
        fun giveUp() =
            synchronized(monitor) {
                givenUp = true
                monitor.notifyAll()
            }

        val isCancelled
            get() = givenUp || number <= cancelledTo

        /** Throws CancellationException when this call was cancelled. */
        fun check() {
            if (isCancelled) throw CancellationException("the picture was cancelled")
        }

        /**
         * [work] when it is this call's turn. Throws CancellationException when it was cancelled, even when [work]
         * ended well; IllegalStateException after [close].
         */
        fun <T> run(work: () -> T): T {
            begin()
            try {
                return work().also { check() }
            } finally {
                end()
            }
        }

        private fun begin() =
            synchronized(monitor) {
                check(running !== Thread.currentThread()) {
                    "a call on the model was made from inside another one, which would wait for itself"
                }
                try {
                    while (running != null && !isCancelled && !isClosed) monitor.wait()
                } catch (_: InterruptedException) {
                    Thread.currentThread().interrupt()
                    throw CancellationException("the thread was interrupted while it waited for its turn")
                }
                check(!isClosed) { "the model was closed; open it again" }
                check()
                running = Thread.currentThread()
            }
    }

    /** Ends all calls that were made so far. */
    fun cancel() =
        synchronized(monitor) {
            cancelledTo = given
            monitor.notifyAll()
        }

    /**
     * Cancels the call in progress and waits for its end, refuses those that wait and all later ones, then does [work],
     * once.
     */
    fun close(work: () -> Unit) {
        synchronized(monitor) {
            if (isClosed) return
            check(running !== Thread.currentThread()) {
                "the model cannot be closed from inside one of its calls; call cancel() there"
            }
            isClosed = true
            cancelledTo = given
            monitor.notifyAll()
            var interrupted = false
            while (running != null) {
                try {
                    monitor.wait()
                } catch (_: InterruptedException) {
                    interrupted = true // what a call uses may not be closed under it
                }
            }
            if (interrupted) Thread.currentThread().interrupt()
        }
        work()
    }

    private fun end() =
        synchronized(monitor) {
            running = null
            monitor.notifyAll()
        }
}
