package org.edgebundle.sdk.core

import java.util.concurrent.CancellationException
import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class TilerTest {
    private class Source(override val width: Int, override val height: Int, val pixel: (x: Int, y: Int) -> Int) :
        PixelSource {
        override fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray) {
            check(left >= 0 && top >= 0 && left + width <= this.width && top + height <= this.height)
            for (y in 0 until height) for (x in 0 until width) argb[y * width + x] = pixel(left + x, top + y)
        }
    }

    private class Sink(val width: Int, val height: Int) : RowSink {
        val argb = IntArray(width * height)
        var next = 0

        override fun write(top: Int, rows: Int, argb: IntArray) {
            assertEquals("rows come from the top down, each once", next, top)
            argb.copyInto(this.argb, top * width, 0, rows * width)
            next += rows
        }
    }

    private fun opaque(level: Int) = (0xff shl 24) or (level shl 16) or (level shl 8) or level

    private fun noise(x: Int, y: Int) = (0xff shl 24) or ((x * 7919 + y * 104729) and 0xffffff)

    private fun run(tiler: Tiler, source: Source, scale: Int = 1, render: (IntArray, IntArray) -> Unit) =
        Sink(source.width * scale, source.height * scale).also {
            tiler.run(source, it, render = render)
            assertEquals("every row was written", it.height, it.next)
        }

    @Test
    fun aNetworkThatChangesNothingGivesThePictureItself() {
        for ((width, height) in listOf(1 to 1, 5 to 40, 16 to 16, 17 to 16, 16 to 17, 100 to 33, 63 to 64, 31 to 90)) {
            for ((margin, band) in listOf(0 to 0, 0 to 1, 1 to 0, 2 to 8)) {
                val source = Source(width, height, ::noise)
                val sink = run(Tiler(16, 16, 1, margin, band), source) { tile, into -> tile.copyInto(into) }
                assertArrayEquals(
                    "$width x $height, margin $margin, band $band",
                    IntArray(width * height) { noise(it % width, it / width) },
                    sink.argb,
                )
            }
        }
    }

    @Test
    fun aPhotographOf48MegapixelsKeepsEveryPixelInItsPlace() {
        val photograph =
            object : PixelSource {
                override val width = 8000
                override val height = 6000

                override fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray) {
                    for (y in 0 until height) for (x in 0 until width) argb[y * width + x] = noise(left + x, top + y)
                }
            }
        var next = 0
        val sink = RowSink { top, rows, argb ->
            assertEquals(next, top)
            next += rows
            for (y in 0 until rows step 97) for (x in 0 until 8000 step 89) assertEquals(
                "$x, ${top + y}",
                noise(x, top + y),
                argb[y * 8000 + x],
            )
        }
        Tiler(512, 512, 1, 28, 8).run(photograph, sink) { tile, into -> tile.copyInto(into) }
        assertEquals(6000, next)
    }

    @Test
    fun aNetworkThatEnlargesKeepsEveryPixelInItsPlace() {
        val source = Source(37, 21, ::noise)
        val sink =
            run(Tiler(12, 8, 2, 1, 1), source, scale = 2) { tile, into ->
                for (i in into.indices) into[i] = tile[i / 24 / 2 * 12 + i % 24 / 2]
            }
        for (y in 0 until 42) for (x in 0 until 74) assertEquals("$x,$y", noise(x / 2, y / 2), sink.argb[y * 74 + x])
    }

    @Test
    fun tilesOfDifferentBrightnessMeetWithoutASeam() {
        var count = 0
        val sink =
            run(Tiler(32, 32, 1, 4, 8), Source(100, 100) { _, _ -> opaque(0) }) { _, into ->
                into.fill(opaque(if (count++ % 2 == 0) 60 else 180))
            }
        var worst = 0
        for (y in 0 until 100) for (x in 1 until 100) worst =
            maxOf(worst, abs((sink.argb[y * 100 + x] and 255) - (sink.argb[y * 100 + x - 1] and 255)))
        for (y in 1 until 100) for (x in 0 until 100) worst =
            maxOf(worst, abs((sink.argb[y * 100 + x] and 255) - (sink.argb[(y - 1) * 100 + x] and 255)))
        assertTrue("a step of $worst levels", worst <= 120 / 8 + 2)
    }

    @Test
    fun marginsAreThrownAwayAndTilesStartAtMultiples() {
        // A network that is wrong in the outermost 2 pixels of a tile, where that is not the picture's own edge.
        for ((width, height) in listOf(16 to 16, 40 to 33, 61 to 90)) {
            val lefts = ArrayList<Int>()
            val source =
                object : PixelSource {
                    override val width = width
                    override val height = height

                    override fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray) {
                        lefts += left
                        for (y in 0 until height) for (x in 0 until width) {
                            val edge =
                                (x < 2 && left > 0) ||
                                    (y < 2 && top > 0) ||
                                    (x >= 14 && left + 16 < this.width) ||
                                    (y >= 14 && top + 16 < this.height)
                            argb[y * width + x] = if (edge) opaque(0) else noise(left + x, top + y)
                        }
                    }
                }
            val sink = Sink(width, height)
            Tiler(16, 16, 1, margin = 2, band = 3, multiple = 4).run(source, sink) { tile, into -> tile.copyInto(into) }
            assertArrayEquals("$width x $height", IntArray(width * height) { noise(it % width, it / width) }, sink.argb)
            assertTrue(lefts.all { it % 4 == 0 })
        }
    }

    @Test
    fun theNumberOfTilesIsKnownBefore() {
        var rendered = 0
        val tiler = Tiler(16, 16, 1, 1, 2)
        run(tiler, Source(50, 20, ::noise)) { tile, into ->
            rendered++
            tile.copyInto(into)
        }
        assertEquals(rendered, tiler.tiles(50, 20))
        assertEquals(1, tiler.tiles(3, 3))
    }

    @Test
    fun cancellingEndsBeforeTheNextTile() {
        var rendered = 0
        val tiler = Tiler(8, 8, 1, 0, 2)
        assertThrows(CancellationException::class.java) {
            tiler.run(Source(64, 64, ::noise), { _, _, _ -> }, { rendered == 3 }) { _, _ -> rendered++ }
        }
        assertEquals(3, rendered)
    }

    @Test
    fun whatCannotBeTiledIsRefused() {
        assertThrows(IllegalArgumentException::class.java) { Tiler(8, 8, 1, 3, 2) }
        assertThrows(IllegalArgumentException::class.java) { Tiler(0, 8, 1, 0, 0) }
    }

    @Test
    fun aPictureFitsTheMemoryThatIsFree() {
        assertEquals(PictureSize(4000, 3000), PictureSize(8000, 6000).within(12_000_000))
        assertEquals(PictureSize(10, 10), PictureSize(10, 10).within(100))
        assertEquals(1, PictureSize(100_000, 1).within(10).height)
        assertTrue(affordablePixels(0) >= 256 * 256)
        assertEquals(1_000_000L, affordablePixels(16_000_000))
    }
}
