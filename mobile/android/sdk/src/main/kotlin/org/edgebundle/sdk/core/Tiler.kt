package org.edgebundle.sdk.core

import java.util.concurrent.CancellationException
import kotlin.math.min

/** A picture that is read piece by piece. */
interface PixelSource {
    val width: Int
    val height: Int

    /** Writes the pixels of a part that lies inside the picture into [argb], row by row from its start. */
    fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray)
}

/** Takes finished rows of a picture from the top down: [argb] holds [rows] full rows from its start. */
fun interface RowSink {
    fun write(top: Int, rows: Int, argb: IntArray)
}

/**
 * Renders pictures that are larger than a model's input, by the algorithm of docs/formats/tiling.md: tiles that
 * overlap, each rendered by itself. The outermost [margin] source pixels of a tile, whose surroundings the network did
 * not see, are not used beside another tile; over the next [band] the tile takes over from the one before. Memory is
 * two bands of tiles, whatever the picture's height.
 */
class Tiler(
    private val tileWidth: Int,
    private val tileHeight: Int,
    private val scale: Int,
    internal val margin: Int,
    internal val band: Int,
    internal val multiple: Int = 1,
) {
    private val tile = IntArray(tileWidth * tileHeight)
    private val rendered = IntArray(tileWidth * scale * tileHeight * scale)

    init {
        require(tileWidth > 0 && tileHeight > 0 && scale > 0) {
            "tiles of $tileWidth x $tileHeight by $scale are not possible"
        }
        require(margin >= 0 && band >= 0 && multiple > 0 && step(min(tileWidth, tileHeight)) > 0) {
            "tiles of $tileWidth x $tileHeight have no room for margins of $margin, a band of $band and steps of $multiple"
        }
    }

    /** How many tiles a picture takes. */
    fun tiles(width: Int, height: Int): Int = starts(width, tileWidth).size * starts(height, tileHeight).size

    /**
     * Renders [source] into [sink]. [render] turns a tile's pixels into its output's; [cancelled] is asked before each
     * tile and ends the work by a `CancellationException`.
     */
    fun run(
        source: PixelSource,
        sink: RowSink,
        cancelled: () -> Boolean = { false },
        render: (tile: IntArray, into: IntArray) -> Unit,
    ) {
        val columns = starts(source.width, tileWidth)
        val rows = starts(source.height, tileHeight)
        val bandWidth = source.width * scale
        val whole = IntArray(bandWidth * min(tileHeight, source.height) * scale)
        val fresh = IntArray(whole.size)
        for ((row, top) in rows.withIndex()) {
            for ((column, left) in columns.withIndex()) {
                if (cancelled()) throw CancellationException("the picture was cancelled")
                fill(source, left, top)
                render(tile, rendered)
                beside(fresh, bandWidth, left * scale, isFirst = column == 0)
            }
            below(whole, fresh, bandWidth, isFirst = row == 0)
            val next = rows.getOrNull(row + 1) ?: source.height
            val done = (next - top) * scale
            sink.write(top * scale, done, whole)
            // What the next tiles overlap stays, moved to the top.
            System.arraycopy(whole, done * bandWidth, whole, 0, whole.size - done * bandWidth)
        }
    }

    /**
     * Where tiles start along one side, at multiples of [multiple]; the last one ends at the picture's edge or just
     * behind it.
     */
    internal fun starts(size: Int, tile: Int): IntArray {
        if (size <= tile) return intArrayOf(0)
        val step = step(tile)
        val last = (size - tile + multiple - 1) / multiple * multiple
        return IntArray((last + step - 1) / step + 1) { min(it * step, last) }
    }

    /** From the start of one tile to the next. */
    private fun step(tile: Int) = Math.floorDiv(tile - 2 * margin - band, multiple) * multiple

    private fun fill(source: PixelSource, left: Int, top: Int) {
        val width = min(tileWidth, source.width - left)
        val height = min(tileHeight, source.height - top)
        source.read(left, top, width, height, tile)
        if (width < tileWidth) for (y in height - 1 downTo 0) spread(y, width)
        for (y in height until tileHeight) System.arraycopy(
            tile,
            (height - 1) * tileWidth,
            tile,
            y * tileWidth,
            tileWidth,
        )
    }

    /** Moves the row [y] of a narrower picture to its place in the tile and continues it by its last pixel. */
    private fun spread(y: Int, width: Int) {
        System.arraycopy(tile, y * width, tile, y * tileWidth, width)
        tile.fill(tile[y * tileWidth + width - 1], y * tileWidth + width, (y + 1) * tileWidth)
    }

    /** Puts the rendered tile into its band; behind another tile it takes over from that one. */
    private fun beside(target: IntArray, targetWidth: Int, left: Int, isFirst: Boolean) {
        val width = min(tileWidth * scale, targetWidth - left)
        for (y in 0 until target.size / targetWidth) {
            var from = y * tileWidth * scale
            var to = y * targetWidth + left
            for (x in 0 until width) {
                val weight = if (isFirst) ONE else weight(x)
                target[to] = if (weight == ONE) rendered[from] else Blend.pixel(target[to], rendered[from], weight)
                from++
                to++
            }
        }
    }

    /** Puts a whole band of tiles over the one before, from which it takes over. */
    private fun below(target: IntArray, fresh: IntArray, targetWidth: Int, isFirst: Boolean) {
        for (y in 0 until target.size / targetWidth) {
            val weight = if (isFirst) ONE else weight(y)
            val row = y * targetWidth
            if (weight == ONE) {
                System.arraycopy(fresh, row, target, row, targetWidth)
            } else {
                for (at in row until row + targetWidth) target[at] = Blend.pixel(target[at], fresh[at], weight)
            }
        }
    }

    /** Weight of a tile behind another at its output pixel [at]: 0 in the margin, rising over the band, then whole. */
    private fun weight(at: Int): Int {
        val into = at - margin * scale
        val rising = band * scale
        return if (into < 0) 0 else if (into >= rising) ONE else (2 * into + 1) * ONE / (2 * rising)
    }

    companion object {
        private const val ONE = 256

        /** Source pixels over which a tile takes over from the one before; docs/formats/tiling.md says why. */
        private const val BAND = 8

        /**
         * A tile moves on by at least this part of its side: otherwise a picture takes over 16 times the work of its
         * pixels.
         */
        private const val LEAST_STEP = 4

        /**
         * Tiles of a network's input by the facts of its bundle. Throws [BundleError] where it cannot work in tiles.
         */
        fun of(input: TensorSpec, scale: Int, facts: Tiling?): Tiler {
            if (facts?.allowed == false)
                throw BundleError("this network cannot work in tiles (${facts.reason}); use it at its own size.")
            val side = min(input.width, input.height)
            val margin = facts?.overlap ?: return Tiler(input.width, input.height, scale, 0, side / LEAST_STEP / 2)
            val multiple = facts.multiple ?: 1
            if (LEAST_STEP * (Math.floorDiv(side - 2 * margin - BAND, multiple) * multiple) < side) {
                throw BundleError(
                    "this network needs $margin pixels around each tile, too many for tiles of $side; use it at its own size."
                )
            }
            return Tiler(input.width, input.height, scale, margin, BAND, multiple)
        }
    }
}
