package org.edgebundle.sdk.core

/** A frame that the network was given, what it made of it, and the way back to it from the present frame. */
internal class CarriedKey(width: Int, height: Int) {
    val frame = IntArray(width * height)
    val styled = IntArray(width * height)
    private val halfWidth = (width + 1) / 2
    private val halfHeight = (height + 1) / 2
    private val luma = IntArray(halfWidth * halfHeight)

    /** For each block of 2 x 2 pixels of the present frame: how far away it was in this one, in 1/32 pixel. */
    var u = IntArray(luma.size)
        private set

    var v = IntArray(luma.size)
        private set

    private var nextU = IntArray(luma.size)
    private var nextV = IntArray(luma.size)

    /** How much the way is believed, 0 to [FULL], for each block. */
    val belief = IntArray(luma.size)

    /** The present frame becomes this key. */
    fun take(argb: IntArray, luma: IntArray) {
        argb.copyInto(frame)
        luma.copyInto(this.luma, 0, 0, this.luma.size)
        u.fill(0)
        v.fill(0)
    }

    /** The next frame came, which lies [fu], [fv] from the one before. */
    fun follow(fu: IntArray, fv: IntArray) {
        var at = 0
        for (y in 0 until halfHeight) for (x in 0 until halfWidth) {
            val row = within((64 * y + fv[at] + 32) shr 6, halfHeight - 1)
            val from = row * halfWidth + within((64 * x + fu[at] + 32) shr 6, halfWidth - 1)
            nextU[at] = fu[at] + u[from]
            nextV[at] = fv[at] + v[from]
            at++
        }
        u = nextU.also { nextU = u }
        v = nextV.also { nextV = v }
    }

    /** Believes the way where it leads to the same luma as [now]. */
    fun believe(now: IntArray) {
        val mostX = 16 * (halfWidth - 1)
        val mostY = 16 * (halfHeight - 1)
        var at = 0
        for (y in 0 until halfHeight) for (x in 0 until halfWidth) {
            val px = 16 * x + (u[at] shr 2)
            val py = 16 * y + (v[at] shr 2)
            belief[at] = if (px < 0 || py < 0 || px > mostX || py > mostY) 0 else belief(now[at] - lumaAt(px, py))
            at++
        }
    }

    private fun belief(difference: Int): Int = within(STRANGE - if (difference < 0) -difference else difference, FULL)

    private fun lumaAt(px: Int, py: Int): Int {
        val x = px shr 4
        val y = py shr 4
        val fx = px and 15
        val fy = py and 15
        val right = if (x + 1 < halfWidth) 1 else 0
        val at = y * halfWidth + x
        val below = if (y + 1 < halfHeight) at + halfWidth else at
        val upper = luma[at] * (16 - fx) + luma[at + right] * fx
        val lower = luma[below] * (16 - fx) + luma[below + right] * fx
        return (upper * (16 - fy) + lower * fy + 128) shr 8
    }

    private fun within(value: Int, most: Int) = if (value < 0) 0 else if (value > most) most else value

    companion object {
        /** The belief in a way that is certain. */
        const val FULL = 16

        /** The difference of luma from which a way is not believed at all; up to STRANGE - FULL it is certain. */
        private const val STRANGE = 28
    }
}
