package org.edgebundle.sdk.core

import java.util.concurrent.CancellationException

/**
 * What a [FramePipeline] is made of. All but [read] are called on the pipeline's own threads; whatever they throw costs
 * one frame.
 */
internal interface FrameStages {
    /**
     * Styles a whole frame: network thread. The nanoseconds that the network took, without what it waited for its turn
     * on the model.
     */
    fun network(frame: IntArray, styled: IntArray): Long

    /** Shows a styled picture, which holds [width] x [height] pixels from its start: show thread. */
    fun show(picture: IntArray, width: Int, height: Int)

    /** A frame failed: show thread. */
    fun failed(error: Throwable)

    /** Thermal headroom as [FrameGovernor] takes it: show thread. */
    fun headroom(): Float
}

/**
 * The stages of a video on three threads: the caller's reads frames, one carries and shows them, one runs the network.
 * Nothing is allocated per frame, and of frames that wait only the newest is kept. A stage that throws costs its frame,
 * and the next one is taken as if nothing had been (docs/sdk-rules.md, "A frame that fails").
 */
internal class FramePipeline(width: Int, height: Int, private val stages: FrameStages) {
    private val monitor = Object()
    private val reading = Any()
    private val governor = FrameGovernor()
    private val schedule = FrameSchedule(governor)
    private val carrier = FrameCarrier(width, height)
    private var spare = IntArray(width * height)
    private var waiting = IntArray(width * height)
    private var current = IntArray(width * height)
    private val out = IntArray(width * height)
    private var hasWaiting = false
    private var keyWanted = false
    private var keyEnded = false
    private var keyFailed = false
    private var keyNs = 0L
    private val errors = ArrayDeque<Throwable>()
    private var calling = false
    private var closed = false
    private val shower = Thread(::showAll, "edgebundle-frames")
    private val networker = Thread(::styleAll, "edgebundle-network")

    @Volatile
    var taken = 0
        private set

    @Volatile
    var dropped = 0
        private set

    val pace: FramePace
        get() = synchronized(monitor) { governor.pace }

    val isClosed: Boolean
        get() = synchronized(monitor) { closed }

    init {
        for (thread in listOf(shower, networker)) thread.apply { isDaemon = true }.start()
    }

    /** A frame arrives: [read] writes it into the array that it is given. False when it was not taken. */
    inline fun submit(read: (IntArray) -> Unit): Boolean {
        if (!arrive()) return false
        synchronized(reading) {
            val problem = failureOf { read(spare) }
            return if (problem == null) offer() else refuse(problem)
        }
    }

    /**
     * Ends both threads; no stage begins after it returned. A stage in progress is waited for, at most [CLOSE_MS], and
     * not by itself.
     */
    fun close() =
        synchronized(monitor) {
            closed = true
            monitor.notifyAll()
            val until = System.nanoTime() + CLOSE_MS * 1_000_000
            while (calling && Thread.currentThread() !== shower) {
                val left = (until - System.nanoTime()) / 1_000_000
                if (left <= 0) break
                monitor.wait(left)
            }
        }

    private fun arrive(): Boolean {
        val now = System.nanoTime()
        return synchronized(monitor) {
            if (!closed) schedule.arrived(now)
            !closed
        }
    }

    private fun offer(): Boolean =
        synchronized(monitor) {
            if (closed) return false
            spare = waiting.also { waiting = spare }
            if (hasWaiting) dropped++ else taken++
            hasWaiting = true
            monitor.notifyAll()
            return true
        }

    private fun refuse(problem: Throwable): Boolean =
        synchronized(monitor) {
            dropped++
            tell(problem)
            return false
        }

    /** The show thread: errors, finished keys and frames, in this order. */
    private fun showAll() {
        while (true) {
            var error: Throwable? = null
            var ended = false
            synchronized(monitor) {
                calling = false
                monitor.notifyAll()
                while (!closed && errors.isEmpty() && !keyEnded && !hasWaiting) monitor.wait()
                if (closed) return
                calling = true
                error = errors.removeFirstOrNull()
                ended = error == null && keyEnded
                if (ended) keyEnded = false
                if (error == null && !ended) {
                    current = waiting.also { waiting = current }
                    hasWaiting = false
                }
            }
            val failure = error
            if (failure != null) failureOf { stages.failed(failure) }
            else keep(failureOf { if (ended) takeKey() else takeFrame() })
        }
    }

    private fun takeKey() {
        val shown = synchronized(monitor) { schedule.ended(keyNs, keyFailed) }
        if (keyFailed) carrier.fail() else carrier.finish()
        if (!shown) return
        val divisor = pace.divisor
        carrier.keyAt(divisor, out)
        show(divisor)
    }

    private fun takeFrame() {
        val headroom = stages.headroom()
        val follows = synchronized(monitor) { governor.follows }
        val start = System.nanoTime()
        carrier.advance(current, follows)
        val took = System.nanoTime() - start
        val pace =
            synchronized(monitor) {
                governor.headroom(headroom)
                governor.flowTook(took)
                schedule.begin(follows && carrier.isCut)
                if (schedule.isKey) {
                    carrier.begin(current)
                    keyWanted = true
                    monitor.notifyAll()
                }
                governor.pace
            }
        if (!schedule.isShown) return
        carrier.picture(current, pace.every, pace.divisor, out)
        show(pace.divisor)
    }

    private fun show(divisor: Int) {
        if (isClosed) return
        stages.show(out, carrier.widthAt(divisor), carrier.heightAt(divisor))
    }

    /** The network thread. */
    private fun styleAll() {
        while (true) {
            synchronized(monitor) {
                while (!closed && !keyWanted) monitor.wait()
                if (closed) return
                keyWanted = false
            }
            var took = 0L
            val key = carrier.running
            val problem = failureOf { took = stages.network(key.frame, key.styled) }
            synchronized(monitor) {
                keyNs = took
                keyFailed = problem != null
                keyEnded = true
                problem?.let(::tell)
                monitor.notifyAll()
            }
        }
    }

    private fun keep(problem: Throwable?) {
        if (problem != null) synchronized(monitor) { tell(problem) }
    }

    /** A cancelled frame is no failure. A callback that is never called may not keep errors for ever. */
    private fun tell(problem: Throwable) {
        if (problem is CancellationException) return
        if (errors.size < MOST_ERRORS) errors.addLast(problem)
        monitor.notifyAll()
    }

    companion object {
        private const val CLOSE_MS = 1_000L
        private const val MOST_ERRORS = 8

        /** What [work] throws and a video survives. */
        internal inline fun failureOf(work: () -> Unit): Throwable? {
            try {
                work()
            } catch (
                error:
                    Throwable) { // a frame, a callback or a driver may fail in any way, by errors too; the video goes
                // on
                return error
            }
            return null
        }
    }
}
