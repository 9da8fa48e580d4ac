package org.edgebundle.sdk.core

import java.util.PriorityQueue
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** A video on a virtual clock: 30 frames/s in for 20 s, a network of a fixed time, carrying and showing in 5 ms. */
class PaceTest {
    private val ms = 1_000_000L

    private class Outcome(val perSecond: Double, val standstillMs: Double, val share: Double)

    private fun video(networkMs: Long, frames: Int = 600, headroom: Float = Float.NaN): Outcome {
        val governor = FrameGovernor()
        val schedule = FrameSchedule(governor)
        val events = PriorityQueue<Pair<Long, () -> Unit>>(compareBy { it.first })
        val shown = ArrayList<Long>()
        var busy = 0L
        var freeAt = 0L // when the show thread has ended what it does
        fun show(now: Long) {
            freeAt = maxOf(now, freeAt) + 5 * ms
            shown += freeAt
        }
        fun arrive(now: Long) {
            schedule.arrived(now)
            governor.headroom(headroom)
            schedule.begin()
            if (schedule.isKey) {
                busy += networkMs * ms
                val ends = now + networkMs * ms
                events.add(ends to { if (schedule.ended(networkMs * ms, failed = false)) show(ends) })
            }
            if (schedule.isShown) show(now)
        }
        repeat(frames) { n -> (n * 1_000 * ms / 30).let { at -> events.add(at to { arrive(at) }) } }
        while (true) (events.poll() ?: break).second()
        // The first seconds are the governor's to learn in.
        val settled = shown.filter { it > 2_000 * ms }
        val standstill = settled.zipWithNext { a, b -> b - a }.max() / ms.toDouble()
        return Outcome(
            (settled.size - 1) / ((settled.last() - settled.first()) / 1e9),
            standstill,
            busy / (frames * 1e9 / 30),
        )
    }

    @Test
    fun thirtyFramesASecondAreShownWhateverTheNetworkTakes() {
        for (networkMs in longArrayOf(20, 40, 100, 200, 400)) {
            val outcome = video(networkMs)
            val said =
                "$networkMs ms: ${outcome.perSecond} frames/s, standstill ${outcome.standstillMs} ms, share ${outcome.share}"
            assertTrue(said, outcome.perSecond >= 29 && outcome.standstillMs <= 50 && outcome.share <= 0.8)
        }
    }

    @Test fun aFastNetworkStylesEveryFrame() = assertEquals(0.6, video(20).share, 0.01)

    @Test
    fun aWarmPhoneGivesTheNetworkHalfAndAHotOneAQuarter() {
        assertTrue(video(100, headroom = 0.9f).share in 0.3..0.4)
        assertTrue(video(100, headroom = 0.97f).share in 0.15..0.2)
    }

    @Test
    fun aPauseDoesNotCount() {
        val governor = FrameGovernor()
        var now = 0L
        repeat(30) { governor.arrived(now.also { now += 33 * ms }) }
        governor.networkTook(100 * ms)
        val before = governor.pace
        governor.arrived(now + 60_000 * ms)
        assertEquals(before, governor.pace)
    }

    @Test
    fun droppedFramesCountAsArrivals() {
        val governor = FrameGovernor()
        repeat(60) { governor.arrived(it * 33 * ms) }
        governor.networkTook(40 * ms)
        assertEquals("40 ms are more than 80 % of 33 ms", 2, governor.pace.every)
    }
}
