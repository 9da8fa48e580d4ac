package org.edgebundle.sdk.core

import java.util.concurrent.CancellationException
import kotlin.math.max
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
 * Renders pictures that are larger than a model's input: tiles that overlap by [overlap] pixels, each rendered by itself, mixed
 * linearly where they overlap but for the outermost [margin] pixels, whose surroundings the network did not see, so that no seam shows. Memory is two bands of tiles, whatever the height of the picture.
 *
 * A picture smaller than a tile is continued by its edge pixels. Networks that normalise over the whole picture (instance norm)
 * see a tile at a time: their colours may differ between distant tiles, which a larger overlap softens.
 */
class Tiler(
    private val tileWidth: Int,
    private val tileHeight: Int,
    private val scale: Int,
    private val overlap: Int,
    private val margin: Int = 0,
    private val multiple: Int = 1,
) {
    private val tile = IntArray(tileWidth * tileHeight)
    private val rendered = IntArray(tileWidth * scale * tileHeight * scale)

    init {
        require(tileWidth > 0 && tileHeight > 0 && scale > 0) { "tiles of $tileWidth x $tileHeight by $scale are not possible" }
        require(multiple in 1..min(tileWidth, tileHeight) / 2 || multiple == 1) { "tiles of $tileWidth x $tileHeight cannot start at multiples of $multiple" }
        require(2 * margin <= overlap) { "an overlap of $overlap has no room for margins of $margin" }
        require(overlap in 0..min(tileWidth, tileHeight) / 2) { "an overlap of $overlap does not fit tiles of $tileWidth x $tileHeight" }
    }

    /** How many tiles a picture takes. */
    fun tiles(width: Int, height: Int): Int = starts(width, tileWidth).size * starts(height, tileHeight).size

    /**
     * Renders [source] into [sink]. [render] turns a tile's pixels into its output's; [cancelled] is asked before each tile
     * and ends the work by a `CancellationException`.
     */
    fun run(source: PixelSource, sink: RowSink, cancelled: () -> Boolean = { false }, render: (tile: IntArray, into: IntArray) -> Unit) {
        val columns = starts(source.width, tileWidth)
        val rows = starts(source.height, tileHeight)
        val bandWidth = source.width * scale
        val band = IntArray(bandWidth * min(tileHeight, source.height) * scale)
        val fresh = IntArray(band.size)
        for ((row, top) in rows.withIndex()) {
            val above = if (row == 0) 0 else rows[row - 1] + tileHeight - top
            for ((column, left) in columns.withIndex()) {
                if (cancelled()) throw CancellationException("the picture was cancelled")
                fill(source, left, top)
                render(tile, rendered)
                val before = if (column == 0) 0 else columns[column - 1] + tileWidth - left
                beside(fresh, bandWidth, left * scale, before * scale)
            }
            below(band, fresh, bandWidth, above * scale)
            val next = rows.getOrNull(row + 1) ?: source.height
            val done = (next - top) * scale
            sink.write(top * scale, done, band)
            // What the next tiles overlap stays, moved to the top.
            System.arraycopy(band, done * bandWidth, band, 0, band.size - done * bandWidth)
        }
    }

    /** Where tiles start along one side, at multiples of [multiple]; the last one ends at the picture's edge or just behind it. */
    private fun starts(size: Int, tile: Int): IntArray {
        if (size <= tile) return intArrayOf(0)
        val step = (tile - overlap) / multiple * multiple
        val last = (size - tile + multiple - 1) / multiple * multiple
        return IntArray((last + step - 1) / step + 1) { min(it * step, last) }
    }

    private fun fill(source: PixelSource, left: Int, top: Int) {
        val width = min(tileWidth, source.width - left)
        val height = min(tileHeight, source.height - top)
        source.read(left, top, width, height, tile)
        if (width < tileWidth) for (y in height - 1 downTo 0) spread(y, width)
        for (y in height until tileHeight) System.arraycopy(tile, (height - 1) * tileWidth, tile, y * tileWidth, tileWidth)
    }

    /** Moves the row [y] of a narrower picture to its place in the tile and continues it by its last pixel. */
    private fun spread(y: Int, width: Int) {
        System.arraycopy(tile, y * width, tile, y * tileWidth, width)
        tile.fill(tile[y * tileWidth + width - 1], y * tileWidth + width, (y + 1) * tileWidth)
    }

    /** Puts the rendered tile into its band, its first [before] columns mixed gradually with the tile on its left. */
    private fun beside(band: IntArray, bandWidth: Int, left: Int, before: Int) {
        val width = min(tileWidth * scale, bandWidth - left)
        for (y in 0 until band.size / bandWidth) {
            var from = y * tileWidth * scale
            var to = y * bandWidth + left
            for (x in 0 until width) {
                val weight = ramp(x, before)
                band[to] = if (weight == ONE) rendered[from] else Blend.pixel(band[to], rendered[from], weight)
                from++
                to++
            }
        }
    }

    /** Puts a whole band over the one before, its first [above] rows mixed gradually with what they overlap. */
    private fun below(band: IntArray, fresh: IntArray, bandWidth: Int, above: Int) {
        for (y in 0 until band.size / bandWidth) {
            val weight = ramp(y, above)
            val row = y * bandWidth
            if (weight == ONE) {
                System.arraycopy(fresh, row, band, row, bandWidth)
            } else {
                for (at in row until row + bandWidth) band[at] = Blend.pixel(band[at], fresh[at], weight)
            }
        }
    }

    /** Weight of a tile at its pixel [at] of [length] that it shares: 0 in the first margin, then rising, whole in the last one. */
    private fun ramp(at: Int, length: Int): Int {
        if (at >= length) return ONE
        val rising = length - 2 * margin * scale
        val into = at - margin * scale
        return if (into < 0) 0 else if (into >= rising) ONE else max(0, (2 * into + 1) * ONE / (2 * rising))
    }

    private companion object {
        const val ONE = 256
    }
}
