package org.edgebundle.sdk.core

/** Durations in nanoseconds: loading, the first inference, and every measured one. */
class Timings(val firstNs: Long, val latencyNs: List<Long>)

/**
 * Runs a loaded variant: one first inference, `warmup` more that are not measured, then measured ones until there are
 * `runs` of them and `seconds` have passed. At most [MOST] are measured.
 */
class Benchmark(
    private val warmup: Int,
    private val runs: Int,
    private val seconds: Double = 0.0,
    private val clock: () -> Long = System::nanoTime,
) {
    init {
        require(warmup >= 0 && runs > 0 && seconds >= 0) {
            "a benchmark needs warmup >= 0, runs > 0 and seconds >= 0, not $warmup, $runs and $seconds"
        }
    }

    /**
     * The inputs of [session] are filled by the caller. [cancelled] is asked before each inference and ends the
     * benchmark by an exception.
     */
    fun measure(session: Session, cancelled: () -> Boolean = { false }): Timings {
        val first = timed(session, cancelled)
        repeat(warmup) { timed(session, cancelled) }
        val latencies = ArrayList<Long>(runs)
        var elapsed = 0L
        // By the sum of what was measured: the clock is read only where it is needed.
        while (latencies.size < runs || (elapsed < seconds * 1e9 && latencies.size < MOST)) latencies +=
            timed(session, cancelled).also { elapsed += it }
        return Timings(first, latencies)
    }

    private fun timed(session: Session, cancelled: () -> Boolean): Long {
        if (cancelled()) throw InterruptedException("the benchmark was cancelled")
        val start = clock()
        session.run()
        return clock() - start
    }

    companion object {
        const val MOST = 100_000
    }
}
