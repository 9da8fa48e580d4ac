package org.edgebundle.sdk.core

/** Durations in nanoseconds: loading, the first inference, and every measured one. */
class Timings(val firstNs: Long, val latencyNs: List<Long>)

/** Runs a loaded variant: one first inference, `warmup` more that are not measured, then `runs` measured by [clock]. */
class Benchmark(private val warmup: Int, private val runs: Int, private val clock: () -> Long = System::nanoTime) {
    init {
        require(warmup >= 0 && runs > 0) { "a benchmark needs warmup >= 0 and runs > 0, not $warmup and $runs" }
    }

    /** The inputs of [session] are filled by the caller. [cancelled] is asked before each inference and ends the benchmark by an exception. */
    fun measure(session: Session, cancelled: () -> Boolean = { false }): Timings {
        val first = timed(session, cancelled)
        repeat(warmup) { timed(session, cancelled) }
        return Timings(first, List(runs) { timed(session, cancelled) })
    }

    private fun timed(session: Session, cancelled: () -> Boolean): Long {
        if (cancelled()) throw InterruptedException("the benchmark was cancelled")
        val start = clock()
        session.run()
        return clock() - start
    }
}
