package org.edgebundle.sdk.core

import kotlin.math.ceil

/**
 * How video is processed at the moment: the network runs on every [every]-th frame, pictures have 1/[divisor] of the
 * full width and height.
 */
data class FramePace(val every: Int, val divisor: Int)

/**
 * Decides how often the network runs and how large the pictures are, from how long it takes, how far frames are apart,
 * and how close the device is to throttling (docs/sdk-rules.md, "Pace of video"). Pure: times and headroom come in as
 * numbers. Used by one thread at a time.
 *
 * Thermal headroom is Android's: 1.0 is where the system starts to throttle severely. The network may use [SHARE] of
 * the time between frames, half of it from [WARM] on and a quarter from [HOT] on, where pictures shrink too. It goes
 * back to a faster pace only [MARGIN] below the threshold that slowed it down, so that it does not swing.
 */
class FrameGovernor {
    private var networkNs = 0.0
    private var intervalNs = 0.0
    private var lastNs = 0L
    private var hasLast = false
    private var heat = 0
    private var flowNs = 0.0
    private var flows = 0

    /** The pace for the next frame. */
    var pace = FramePace(1, 1)
        private set

    /**
     * A frame arrived at [nowNs], whether it is taken or dropped. Longer gaps than [PAUSE_NS] are pauses and count for
     * nothing.
     */
    fun arrived(nowNs: Long) {
        val gap = nowNs - lastNs
        if (hasLast && gap in 1..PAUSE_NS) {
            intervalNs = smoothed(intervalNs, gap)
            decide()
        }
        lastNs = nowNs
        hasLast = true
    }

    /** The network took [nanos] for a frame, with all that is done before and after it. */
    fun networkTook(nanos: Long) {
        networkNs = smoothed(networkNs, nanos)
        decide()
    }

    /** Whether frames are followed by optical flow: not once it took more than half of the time between frames. */
    var follows = true
        private set

    /** The flow of a frame took [nanos]. The first frames count for nothing: their code is just being compiled. */
    fun flowTook(nanos: Long) {
        if (++flows <= FIRST_FLOWS) return
        flowNs = smoothed(flowNs, nanos)
        if (intervalNs > 0 && flowNs > intervalNs / 2) follows = false
    }

    /** The system's thermal headroom; NaN when it does not tell, which changes nothing. */
    fun headroom(value: Float) {
        if (value.isNaN()) return
        heat =
            when {
                value >= HOT || (heat == 2 && value >= HOT - MARGIN) -> 2
                value >= WARM || (heat >= 1 && value >= WARM - MARGIN) -> 1
                else -> 0
            }
        decide()
    }

    private fun decide() {
        val share = SHARE / (1 shl heat)
        val every = if (intervalNs == 0.0) 1 else maxOf(1, ceil(networkNs / (intervalNs * share)).toInt())
        val divisor = if (heat == 2) 2 else 1
        // One object for each pace, not one for each frame.
        if (every != pace.every || divisor != pace.divisor) pace = FramePace(every, divisor)
    }

    private fun smoothed(old: Double, new: Long) = if (old == 0.0) new.toDouble() else old + (new - old) / 8

    companion object {
        const val SHARE = 0.8
        const val WARM = 0.85f
        const val HOT = 0.95f
        const val MARGIN = 0.1f
        const val PAUSE_NS = 500_000_000L
        private const val FIRST_FLOWS = 60
    }
}
