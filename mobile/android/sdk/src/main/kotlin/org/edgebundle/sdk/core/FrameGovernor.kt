package org.edgebundle.sdk.core

import kotlin.math.ceil

/** How video is processed at the moment: the network runs on every [every]-th frame, pictures have 1/[divisor] of the full width and height. */
data class FramePace(val every: Int, val divisor: Int)

/**
 * Decides how often the network runs and how large the pictures are, from how long it takes, how far frames are apart, and how
 * close the device is to throttling. Pure: times and headroom come in as numbers. Used by one thread.
 *
 * Thermal headroom is Android's: 1.0 is where the system starts to throttle severely. The network may use [SHARE] of the time
 * between frames, half of it from [WARM] on and a quarter from [HOT] on, where pictures shrink too. It goes back to a faster pace
 * only [MARGIN] below the threshold that slowed it down, so that it does not swing.
 */
class FrameGovernor(private val maxEvery: Int = 8) {
    private var networkNs = 0.0
    private var intervalNs = 0.0
    private var heat = 0

    /** The pace for the next frame. */
    var pace = FramePace(1, 1)
        private set

    init {
        require(maxEvery > 0) { "the network runs at least every frame, not every $maxEvery-th" }
    }

    /** A frame arrived [nanos] after the one before. */
    fun frameAfter(nanos: Long) {
        intervalNs = smoothed(intervalNs, nanos)
        decide()
    }

    /** The network took [nanos] for a frame, with all that is done before and after it. */
    fun networkTook(nanos: Long) {
        networkNs = smoothed(networkNs, nanos)
        decide()
    }

    /** The system's thermal headroom; NaN when it does not tell, which changes nothing. */
    fun headroom(value: Float) {
        if (value.isNaN()) return
        heat = when {
            value >= HOT || (heat == 2 && value >= HOT - MARGIN) -> 2
            value >= WARM || (heat >= 1 && value >= WARM - MARGIN) -> 1
            else -> 0
        }
        decide()
    }

    private fun decide() {
        val share = SHARE / (1 shl heat)
        val needed = if (intervalNs == 0.0) 1.0 else ceil(networkNs / (intervalNs * share))
        val every = needed.toInt().coerceIn(1, maxEvery)
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
    }
}
