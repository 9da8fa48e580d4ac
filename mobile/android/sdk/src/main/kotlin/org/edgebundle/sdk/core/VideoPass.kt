package org.edgebundle.sdk.core

/** Where the frames of a [VideoPass] come from and go to. What they throw ends the pass. */
internal interface VideoStages {
    /**
     * Writes the next frame, upright and of the network's size, into [frame]: its time in microseconds, or [NO_FRAME]
     * after the last.
     */
    fun read(frame: IntArray): Long

    /** Styles a whole frame. */
    fun network(frame: IntArray, styled: IntArray)

    /** Takes a styled picture and its time, which is above that of the picture before. */
    fun write(picture: IntArray, timeUs: Long)

    companion object {
        const val NO_FRAME = Long.MIN_VALUE
    }
}

/** What a video was: its frames, and how many of them the network saw. */
internal class VideoCount(val frames: Int, val keys: Int)

/**
 * A whole video, frame by frame, as fast as it goes: none is left out, each keeps its time (docs/sdk-rules.md, "Video
 * files"). The network runs on the first frame, on each [every]-th after a key, and where the scene is cut; its results
 * are carried to the others as in live video. Used by one thread.
 */
internal class VideoPass(width: Int, height: Int, private val every: Int, private val stages: VideoStages) {
    private val carrier = FrameCarrier(width, height)
    private val frame = IntArray(width * height)
    private val out = IntArray(width * height)
    private var sinceKey = 0
    private var frames = 0
    private var keys = 0

    init {
        require(every >= 1) { "the network runs on every frame or on every k-th, not on every $every-th" }
    }

    /** Takes frames until the last, [check] before each, which ends the pass by what it throws. */
    fun run(check: () -> Unit): VideoCount {
        var lastUs = VideoStages.NO_FRAME
        while (true) {
            check()
            val timeUs = stages.read(frame)
            if (timeUs == VideoStages.NO_FRAME) return VideoCount(frames, keys)
            lastUs = maxOf(timeUs, lastUs + 1) // some files say one time twice
            frames++
            stages.write(styled(), lastUs)
        }
    }

    /** The picture that is shown for [frame]. */
    private fun styled(): IntArray {
        carrier.advance(frame, true)
        val isOwn = keys == 0 || carrier.isCut || every == 1
        if (!isOwn) carrier.picture(frame, every, 1, out)
        if (isOwn || ++sinceKey >= every) {
            carrier.begin(frame)
            stages.network(carrier.running.frame, carrier.running.styled)
            carrier.finish()
            keys++
            sinceKey = 0
        }
        if (isOwn) carrier.keyAt(1, out)
        return out
    }
}
