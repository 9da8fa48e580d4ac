package org.edgebundle.sdk.core

/**
 * Which frames become keys, and which are shown when (docs/sdk-rules.md, "Pace of video"). Pure: it is told what
 * happens and answers what to do. Used by one thread at a time.
 */
internal class FrameSchedule(private val governor: FrameGovernor) {
    private var sinceKey = 0
    private var running = false
    private var hasKey = false

    /** Whether the frame that became the running key is still to be shown. */
    private var awaited = false

    /** Whether the frame that [begin] answered for goes to the network. */
    var isKey = false
        private set

    /** Whether it is shown now, carried by the newest finished key. */
    var isShown = false
        private set

    fun arrived(nowNs: Long) {
        governor.arrived(nowNs)
        sinceKey++
    }

    /**
     * The newest frame is taken up: sets [isKey] and [isShown]. One that [isCut], of another scene than the keys, is a
     * key as soon as may be, and nothing is shown before it is styled.
     */
    fun begin(isCut: Boolean = false) {
        val every = governor.pace.every
        isKey = !running && (!hasKey || isCut || sinceKey >= every)
        if (isKey) {
            running = true
            sinceKey = 0
            awaited = !hasKey || isCut || every == 1
            isShown = !awaited
        } else {
            isShown = hasKey && !isCut
            if (isShown) awaited = false // what is newer was shown meanwhile
        }
    }

    /**
     * The network ended, [nanos] after it began; it [failed] or there is a new key. Whether the key's own styled
     * picture is shown now.
     */
    fun ended(nanos: Long, failed: Boolean): Boolean {
        running = false
        if (failed) return false
        governor.networkTook(nanos)
        hasKey = true
        return awaited
    }
}
