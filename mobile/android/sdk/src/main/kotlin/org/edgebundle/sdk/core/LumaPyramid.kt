package org.edgebundle.sdk.core

/** Values of a picture, row by row. */
internal class Plane(val width: Int, val height: Int) {
    /** A row and a pixel more than there are: a patch at the edge reads them at no weight. */
    val values = IntArray(width * (height + 1) + 1)
}

/**
 * The luma of a frame at half its size, and halves of it. [depth] of its [levels] are large enough for optical flow,
 * the finest first; none for small pictures, of which there is the first level alone.
 */
internal class LumaPyramid(private val fullWidth: Int, private val fullHeight: Int) {
    val levels: List<Plane> =
        ArrayList<Plane>().apply {
            add(Plane((fullWidth + 1) / 2, (fullHeight + 1) / 2))
            while (size < LEVELS && minOf(last().width, last().height) / 2 >= LEAST) add(
                Plane(last().width / 2, last().height / 2)
            )
        }
    val depth = if (minOf(levels[0].width, levels[0].height) < LEAST) 0 else levels.size

    /** Takes a frame of the full size. */
    fun fill(argb: IntArray) {
        val finest = levels[0]
        var at = 0
        for (y in 0 until finest.height) {
            val upper = 2 * y * fullWidth
            val lower = if (2 * y + 1 < fullHeight) upper + fullWidth else upper
            for (x in 0 until finest.width) {
                val left = 2 * x
                val right = if (left + 1 < fullWidth) left + 1 else left
                finest.values[at++] =
                    luma(argb[upper + left], argb[upper + right], argb[lower + left], argb[lower + right])
            }
        }
        for (level in 1 until levels.size) halve(levels[level - 1], levels[level])
    }

    private fun luma(a: Int, b: Int, c: Int, d: Int): Int {
        // Sums of four bytes stay apart in one word: red and blue together, then green.
        val odd = (a and ODD) + (b and ODD) + (c and ODD) + (d and ODD)
        val green = (a ushr 8 and BYTE) + (b ushr 8 and BYTE) + (c ushr 8 and BYTE) + (d ushr 8 and BYTE)
        return (77 * (odd ushr 16) + 150 * green + 29 * (odd and WORD) + 512) shr 10
    }

    private fun halve(from: Plane, to: Plane) {
        var at = 0
        for (y in 0 until to.height) {
            var place = 2 * y * from.width
            repeat(to.width) {
                val below = place + from.width
                to.values[at++] =
                    (from.values[place] + from.values[place + 1] + from.values[below] + from.values[below + 1] + 2) shr
                        2
                place += 2
            }
        }
    }

    private companion object {
        const val LEVELS = 4
        const val LEAST = 16
        const val BYTE = 0xff
        const val WORD = 0xffff
        const val ODD = 0xff00ff
    }
}
