package org.edgebundle.sdk.core

/**
 * Finds one patch of 8 x 8 pixels in the picture before: [take] it, [start] from one or more places, [walk], and read
 * [u] and [v], in 1/64 pixel. The step is Gauss and Newton's with the patch's own slopes; brightness may change.
 */
internal class PatchSearch {
    private val own = IntArray(SIDE * SIDE)
    private val slopesX = IntArray(SIDE * SIDE)
    private val slopesY = IntArray(SIDE * SIDE)
    private var before = IntArray(0)
    private var width = 0
    private var left = 0
    private var top = 0
    private var mostX = 0
    private var mostY = 0
    private var xx = 0L
    private var xy = 0L
    private var yy = 0L
    private var sumX = 0L
    private var sumY = 0L
    private var started = false

    // What the last look found, and the best place so far.
    private var error = 0L
    private var alongX = 0L
    private var alongY = 0L
    private var bestError = 0L
    private var bestX = 0
    private var bestY = 0
    private var bestAlongX = 0L
    private var bestAlongY = 0L

    /** The motion that was found. */
    val u
        get() = bestX - ONE * left

    val v
        get() = bestY - ONE * top

    /** The patch of [now] at ([left], [top]). */
    fun take(now: Plane, before: Plane, left: Int, top: Int) {
        this.before = before.values
        this.left = left
        this.top = top
        width = now.width
        mostX = ONE * (now.width - SIDE)
        mostY = ONE * (now.height - SIDE)
        started = false
        val values = now.values
        var sxx = 0
        var sxy = 0
        var syy = 0
        var sx = 0
        var sy = 0
        var i = 0
        for (y in top until top + SIDE) {
            val row = y * width
            val above = if (y > 0) row - width else row
            val below = if (y + 1 < now.height) row + width else row
            for (x in left until left + SIDE) {
                val gx = values[row + if (x + 1 < width) x + 1 else x] - values[row + if (x > 0) x - 1 else x]
                val gy = values[below + x] - values[above + x]
                own[i] = values[row + x] shl 4
                slopesX[i] = gx
                slopesY[i] = gy
                sxx += gx * gx
                sxy += gx * gy
                syy += gy * gy
                sx += gx
                sy += gy
                i++
            }
        }
        xx = sxx.toLong() + DAMPING
        xy = sxy.toLong()
        yy = syy.toLong() + DAMPING
        sumX = sx.toLong()
        sumY = sy.toLong()
    }

    /** A motion to begin with; the best of all of them is taken. */
    fun start(u: Int, v: Int) {
        val x = within(ONE * left + u, mostX)
        val y = within(ONE * top + v, mostY)
        if (started && x == bestX && y == bestY) return
        look(x, y)
        if (!started || error < bestError) keep(x, y)
        started = true
    }

    /** [steps] steps from there; the best place on the way counts, unless it is farther than the patch is wide. */
    fun walk(steps: Int) {
        if (bestError <= CALM) return
        val determinant = xx * yy - xy * xy
        val firstX = bestX
        val firstY = bestY
        var x = bestX
        var y = bestY
        alongX = bestAlongX
        alongY = bestAlongY
        repeat(steps) {
            x = within(x - (8 * (yy * alongX - xy * alongY) / determinant).toInt(), mostX)
            y = within(y - (8 * (xx * alongY - xy * alongX) / determinant).toInt(), mostY)
            look(x, y)
            val isNear = x - firstX in -FAR..FAR && y - firstY in -FAR..FAR
            if (error < bestError && isNear) keep(x, y)
        }
    }

    private fun within(value: Int, most: Int) = if (value < 0) 0 else if (value > most) most else value

    private fun keep(x: Int, y: Int) {
        bestX = x
        bestY = y
        bestError = error
        bestAlongX = alongX
        bestAlongY = alongY
    }

    /** Compares the patch with the picture before at a place. */
    private fun look(x: Int, y: Int) {
        val fx = x and ONE - 1
        val fy = y and ONE - 1
        val topLeft = (ONE - fx) * (ONE - fy)
        val topRight = fx * (ONE - fy)
        val bottomLeft = (ONE - fx) * fy
        val bottomRight = fx * fy
        var at = (y shr 6) * width + (x shr 6)
        var total = 0
        var squares = 0
        var sx = 0
        var sy = 0
        var i = 0
        repeat(SIDE) {
            var upper = before[at]
            var lower = before[at + width]
            for (column in 1..SIDE) {
                val nextUpper = before[at + column]
                val nextLower = before[at + width + column]
                val there =
                    (upper * topLeft + nextUpper * topRight + lower * bottomLeft + nextLower * bottomRight) shr 8
                val apart = there - own[i]
                total += apart
                squares += apart * apart
                sx += slopesX[i] * apart
                sy += slopesY[i] * apart
                upper = nextUpper
                lower = nextLower
                i++
            }
            at += width
        }
        error = squares - total.toLong() * total / (SIDE * SIDE)
        alongX = sx - sumX * total / (SIDE * SIDE)
        alongY = sy - sumY * total / (SIDE * SIDE)
    }

    companion object {
        const val SIDE = 8
        private const val ONE = 64
        private const val FAR = SIDE * ONE

        /** An error of half a level of luma: nothing is to be searched. */
        private const val CALM = 4096L
        private const val DAMPING = 16
    }
}
