package org.edgebundle.sdk.core

/**
 * Styles the frames between two runs of the network: the newest styled pictures are carried along the motion of the
 * frames, and a new one comes in little by little (docs/sdk-rules.md, "Between key frames"). Swift and
 * scripts/vectors/carrying.py give the same pictures. Nothing is allocated per frame; used by one thread, but for the
 * arrays of [running], which the network has between [begin] and [finish].
 */
internal class FrameCarrier(private val width: Int, private val height: Int) {
    private var now = LumaPyramid(width, height)
    private var before = LumaPyramid(width, height)
    private val halfWidth = now.levels[0].width
    private val halfHeight = now.levels[0].height
    private val flow = OpticalFlow(now)
    private val u = IntArray(halfWidth * halfHeight)
    private val v = IntArray(halfWidth * halfHeight)
    private var hasBefore = false
    private var key = CarriedKey(width, height)
    private var old = CarriedKey(width, height)
    private var hasKey = false
    private var hasOld = false
    private var isRunning = false
    private var since = 0

    /** The key that the network has. */
    var running = CarriedKey(width, height)
        private set

    /** Whether less than two fifths of the present frame is known from a key: another scene. */
    var isCut = false
        private set

    /** The size of pictures at a divisor, which is 1 or 2. */
    fun widthAt(divisor: Int) = maxOf(1, width / divisor)

    fun heightAt(divisor: Int) = maxOf(1, height / divisor)

    /** The next frame. Without [follows] nothing is taken for moved. */
    fun advance(frame: IntArray, follows: Boolean) {
        now = before.also { before = now }
        now.fill(frame)
        if (follows && hasBefore && now.depth > 0) {
            flow.follow(now, before, u, v)
            if (hasKey) key.follow(u, v)
            if (hasOld) old.follow(u, v)
            if (isRunning) running.follow(u, v)
        }
        hasBefore = true
        since++
        if (hasKey) key.believe(now.levels[0].values)
        if (hasOld) old.believe(now.levels[0].values)
        isCut = hasKey && 5 * believed() < 2 * u.size
    }

    /** The present frame, that of the last [advance], goes to the network. */
    fun begin(frame: IntArray) {
        running.take(frame, now.levels[0].values)
        isRunning = true
    }

    /** The network has made the styled picture of the [running] key. */
    fun finish() {
        val free = old
        old = key
        key = running
        running = free
        hasOld = hasKey
        hasKey = true
        isRunning = false
        since = 0
    }

    /** The network gave none: the keys before stay. */
    fun fail() {
        isRunning = false
    }

    /** The newest key's styled picture at a divisor into [out]. */
    fun keyAt(divisor: Int, out: IntArray) {
        val columns = widthAt(divisor)
        var at = 0
        for (y in 0 until heightAt(divisor)) for (x in 0 until columns) out[at++] =
            key.styled[y * divisor * width + x * divisor]
    }

    /**
     * The present [frame] styled, at a divisor, into [out]. With each of [fade] frames the newest key has a larger
     * share, and the one before a smaller. What no key knows has the change of the newest key's pixels.
     */
    fun picture(frame: IntArray, fade: Int, divisor: Int, out: IntArray) {
        val share = minOf(FULL, FULL * since / maxOf(1, fade))
        val shift = divisor - 1
        val columns = widthAt(divisor)
        val rows = heightAt(divisor)
        var block = 0
        for (blockY in 0 until halfHeight) for (blockX in 0 until halfWidth) {
            val own = key.belief[block]
            val other = if (hasOld && share < FULL) old.belief[block] else 0
            val parts = own * share + other * (FULL - share)
            val weight = if (other > 0 && parts > 0) ONE * own * share / parts else ONE
            val known = ONE / FULL * if (own > other) own else other
            var y = 2 * blockY
            while (y < 2 * blockY + 2 && y shr shift < rows) {
                var x = 2 * blockX
                while (x < 2 * blockX + 2 && x shr shift < columns) {
                    out[(y shr shift) * columns + (x shr shift)] =
                        pixel(frame[y * width + x], x, y, block, weight, known)
                    x += divisor
                }
                y += divisor
            }
            block++
        }
    }

    private fun pixel(now: Int, x: Int, y: Int, block: Int, weight: Int, known: Int): Int {
        val ownX = 16 * x + (key.u[block] shr 1)
        val ownY = 16 * y + (key.v[block] shr 1)
        val carried = sample(key.styled, ownX, ownY)
        val both =
            if (weight == ONE) carried
            else
                Blend.pixel(
                    sample(old.styled, 16 * x + (old.u[block] shr 1), 16 * y + (old.v[block] shr 1)),
                    carried,
                    weight,
                )
        if (known == ONE) return both
        val was = sample(key.frame, ownX, ownY)
        val changed = changed(now, carried, was, 16) or changed(now, carried, was, 8) or changed(now, carried, was, 0)
        return Blend.pixel(changed, both, known)
    }

    private fun changed(now: Int, carried: Int, was: Int, shift: Int): Int {
        val value = (now shr shift and BYTE) + (carried shr shift and BYTE) - (was shr shift and BYTE)
        return (if (value < 0) 0 else if (value > BYTE) BYTE else value) shl shift
    }

    /** Between pixels, at a place in 1/16 pixel; places outside are those of the edge. Opaque. */
    private fun sample(picture: IntArray, placeX: Int, placeY: Int): Int {
        val px = if (placeX < 0) 0 else if (placeX > 16 * (width - 1)) 16 * (width - 1) else placeX
        val py = if (placeY < 0) 0 else if (placeY > 16 * (height - 1)) 16 * (height - 1) else placeY
        val fx = px and 15
        val fy = py and 15
        val at = (py shr 4) * width + (px shr 4)
        if (fx or fy == 0) return picture[at]
        val right = if (fx > 0) at + 1 else at
        val down = if (fy > 0) width else 0
        val a = picture[at]
        val b = picture[right]
        val c = picture[at + down]
        val d = picture[right + down]
        val wa = (16 - fx) * (16 - fy)
        val wb = fx * (16 - fy)
        val wc = (16 - fx) * fy
        val wd = fx * fy
        val odd = (a and ODD) * wa + (b and ODD) * wb + (c and ODD) * wc + (d and ODD) * wd + HALVES ushr 8 and ODD
        val green = (a ushr 8 and BYTE) * wa + (b ushr 8 and BYTE) * wb + (c ushr 8 and BYTE) * wc
        return OPAQUE or odd or (green + (d ushr 8 and BYTE) * wd + 128 and GREEN)
    }

    private fun believed(): Int {
        var count = 0
        for (i in u.indices) {
            val own = key.belief[i]
            if (own >= FULL / 2 || hasOld && old.belief[i] >= FULL / 2) count++
        }
        return count
    }

    private companion object {
        const val FULL = CarriedKey.FULL
        const val ONE = 256
        const val BYTE = 0xff
        const val ODD = 0xff00ff
        const val GREEN = 0xff00
        const val HALVES = 0x800080
        const val OPAQUE = 0xff shl 24
    }
}
