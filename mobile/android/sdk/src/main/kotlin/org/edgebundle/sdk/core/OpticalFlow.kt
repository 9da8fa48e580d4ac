package org.edgebundle.sdk.core

/**
 * Where each part of a frame was in the frame before, by inverse search over patches of 8 x 8 pixels from the coarsest
 * luma to the finest ("Fast Optical Flow using Dense Inverse Search", Kroeger et al., 2016). Whole numbers throughout:
 * Swift and scripts/vectors/carrying.py give the same. Nothing is allocated per frame; used by one thread.
 */
internal class OpticalFlow(shape: LumaPyramid) {
    private val levels = shape.levels.take(shape.depth)
    private val grids = levels.map { MotionGrid(it.width, it.height) }
    private val search = PatchSearch()
    private val width = shape.levels[0].width
    private val height = shape.levels[0].height
    private val across = axis(width, grids.firstOrNull()?.columns ?: 1)
    private val down = axis(height, grids.firstOrNull()?.rows ?: 1)

    /** Motion of each pixel of the finest luma of [now] to its place in [before], in 1/64 of its pixels. */
    fun follow(now: LumaPyramid, before: LumaPyramid, u: IntArray, v: IntArray) {
        for (level in grids.indices.reversed()) follow(now.levels[level], before.levels[level], level)
        spread(grids[0].u, u)
        spread(grids[0].v, v)
    }

    private fun follow(now: Plane, before: Plane, level: Int) {
        val grid = grids[level]
        val coarser = grids.getOrNull(level + 1)
        var at = 0
        for (row in 0 until grid.rows) for (column in 0 until grid.columns) {
            search.take(now, before, STRIDE * column, STRIDE * row)
            if (coarser != null) {
                val from = minOf(row / 2, coarser.rows - 1) * coarser.columns + minOf(column / 2, coarser.columns - 1)
                search.start(2 * coarser.u[from], 2 * coarser.v[from])
            }
            search.start(0, 0)
            if (level == 0) search.start(grid.u[at], grid.v[at]) // its motion since the frame before
            search.walk(level + LEAST_STEPS)
            grid.rawU[at] = search.u
            grid.rawV[at] = search.v
            at++
        }
        grid.smooth()
    }

    /** The grid's values between the centres of its patches. */
    private fun spread(grid: IntArray, out: IntArray) {
        val columns = grids[0].columns
        var at = 0
        for (y in 0 until height) {
            val row = (down[y] shr 3) * columns
            val next = minOf((down[y] shr 3) + 1, grids[0].rows - 1) * columns
            val fy = down[y] and 7
            for (x in 0 until width) {
                val left = across[x] shr 3
                val right = if (left + 1 < columns) left + 1 else left
                val fx = across[x] and 7
                val upper = grid[row + left] * (8 - fx) + grid[row + right] * fx
                val lower = grid[next + left] * (8 - fx) + grid[next + right] * fx
                out[at++] = (upper * (8 - fy) + lower * fy + 32) shr 6
            }
        }
    }

    /** Where pixels lie between the centres of patches, in 1/8 of their distance. */
    private fun axis(size: Int, count: Int) =
        IntArray(size) { (2 * it - PatchSearch.SIDE + 1).coerceIn(0, 2 * STRIDE * (count - 1)) }

    /** One motion for each patch of a level. */
    private class MotionGrid(width: Int, height: Int) {
        val columns = (width - PatchSearch.SIDE) / STRIDE + 1
        val rows = (height - PatchSearch.SIDE) / STRIDE + 1
        val u = IntArray(columns * rows)
        val v = IntArray(columns * rows)
        val rawU = IntArray(columns * rows)
        val rawV = IntArray(columns * rows)
        private val near = IntArray(9)

        /** The median of each 3 x 3 of what was found: one patch that went astray counts for nothing. */
        fun smooth() {
            smooth(rawU, u)
            smooth(rawV, v)
        }

        private fun smooth(from: IntArray, to: IntArray) {
            for (row in 0 until rows) for (column in 0 until columns) {
                var count = 0
                for (y in row - 1..row + 1) {
                    val line = (if (y < 0) 0 else if (y < rows) y else rows - 1) * columns
                    for (x in column - 1..column + 1) {
                        val value = from[line + if (x < 0) 0 else if (x < columns) x else columns - 1]
                        var place = count++
                        while (place > 0 && near[place - 1] > value) {
                            near[place] = near[place - 1]
                            place--
                        }
                        near[place] = value
                    }
                }
                to[row * columns + column] = near[4]
            }
        }
    }

    private companion object {
        const val STRIDE = 4
        const val LEAST_STEPS = 3
    }
}
