package org.edgebundle.app

import android.app.ActivityManager
import android.graphics.Bitmap
import android.graphics.Color
import android.media.ExifInterface
import java.io.File
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.StyleModel
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The library as an app uses it, with Android's own bitmaps and the real TensorFlow Lite of a desktop. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class StyleModelTest {
    private fun opened(work: (StyleModel) -> Unit) = StyleModel.open(APP, threads = 2).use(work)

    private fun free(bytes: Long) =
        shadowOf(APP.getSystemService(ActivityManager::class.java)).setMemoryInfo(ActivityManager.MemoryInfo().apply { availMem = bytes })

    private fun bitmap(width: Int, height: Int, config: Bitmap.Config = Bitmap.Config.ARGB_8888) = Bitmap.createBitmap(width, height, config)

    @Test
    fun stylizeGivesTheGoldenPictureAndReusesABitmap() = opened { model ->
        val input = asset("golden/0-image.png")
        val first = model.stylize(input)
        assertTrue("${worst(first, asset("golden/0-stylized.png"))}", worst(first, asset("golden/0-stylized.png")) <= 1)
        assertSame(first, model.stylize(input, into = first))
        assertNotSame(first, model.stylize(input))
    }

    @Test
    fun strengthMixesWithTheOriginal() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(model.stylize(input, strength = 0f), input))
        val half = model.stylize(input, strength = 0.5f)
        val (before, after) = input.getPixel(3, 3) to asset("golden/0-stylized.png").getPixel(3, 3)
        assertEquals((Color.red(before) + Color.red(after)) / 2.0, Color.red(half.getPixel(3, 3)).toDouble(), 1.5)
        assertThrows(IllegalArgumentException::class.java) { model.stylize(input, strength = 1.5f) }
    }

    @Test
    fun picturesOfAnySizeAndConfigAreTaken() = opened { model ->
        for ((width, height) in listOf(1 to 1, 640 to 480, 33 to 500, 8000 to 6000)) {
            val result = model.stylize(bitmap(width, height))
            assertEquals(model.outputWidth to model.outputHeight, result.width to result.height)
        }
        assertEquals(model.outputWidth, model.stylize(bitmap(20, 20, Bitmap.Config.RGB_565)).width)
        val recycled = bitmap(4, 4).apply { recycle() }
        assertThrows(IllegalArgumentException::class.java) { model.stylize(recycled) }
    }

    @Test
    fun aPictureOfTheModelsSizeIsTheSameInTiles() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(model.stylizeLarge(input), model.stylize(input)))
    }

    @Test
    fun largePicturesKeepTheirSize() = opened { model ->
        for ((width, height) in listOf(1 to 1, 70 to 41, 301 to 97)) {
            var last = 0 to 0
            val result = model.stylizeLarge(bitmap(width, height)) { done, tiles -> last = done to tiles }
            assertEquals(width to height, result.width to result.height)
            assertEquals(last.first, last.second)
        }
    }

    @Test
    fun aVeryLargePictureIsRendered() = opened { model ->
        free(bytes = 16_000_000)
        val result = model.stylizeLarge(bitmap(8000, 6000).apply { eraseColor(Color.rgb(40, 90, 160)) })
        // As much of it as the memory allows, in its proportions, to the last pixel.
        assertEquals(8000.0 / 6000, result.width.toDouble() / result.height, 0.02)
        assertEquals(255, Color.alpha(result.getPixel(result.width - 1, result.height - 1)))
    }

    @Test
    fun littleMemoryMakesAPictureSmaller() = opened { model ->
        free(bytes = 4_000_000)
        val result = model.stylizeLarge(bitmap(1000, 500))
        assertEquals(2.0, result.width.toDouble() / result.height, 0.02)
        assertTrue("${result.width}", result.width * result.height * 16L <= 4_000_000)
    }

    @Test
    fun cancelEndsTheCallInProgressAlone() = opened { model ->
        assertThrows(CancellationException::class.java) { model.stylizeLarge(bitmap(300, 300)) { done, _ -> if (done == 2) model.cancel() } }
        assertEquals(300, model.stylizeLarge(bitmap(300, 300)).width)
    }

    @Test
    fun coroutinesWaitWithoutBlocking() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(runBlocking { model.awaitStylized(input) }, model.stylize(input)))
        assertThrows(IllegalArgumentException::class.java) { runBlocking { model.awaitStylized(input, strength = 2f) } }
    }

    @Test
    fun cancellingACoroutineEndsItsOwnCallAlone() = opened { model ->
        runBlocking {
            val begun = CompletableDeferred<Int>()
            var last = 0
            val large = launch(Dispatchers.Default) {
                model.awaitStylizedLarge(bitmap(2000, 2000)) { done, tiles ->
                    last = done
                    begun.complete(tiles)
                }
            }
            val tiles = begun.await()
            val waiting = launch(Dispatchers.Default) { model.awaitStylized(bitmap(8, 8)) }
            large.cancelAndJoin()
            waiting.join()
            assertTrue("$last of $tiles tiles", last < tiles)
            assertEquals(model.outputWidth, model.awaitStylized(bitmap(8, 8)).width)
        }
    }

    @Test
    fun aClosedModelSaysSo() {
        val model = StyleModel.open(APP)
        model.close()
        model.close()
        assertTrue(assertThrows(IllegalStateException::class.java) { model.stylize(bitmap(8, 8)) }.message.orEmpty().contains("closed"))
    }

    @Test
    fun aStyleThatTheModelDoesNotHaveIsNamed() = opened { model ->
        assertEquals(emptyMap<String, Int>(), model.styles)
        assertTrue(assertThrows(IllegalArgumentException::class.java) { model.setStyle("mood", floatArrayOf(1f)) }.message.orEmpty().contains("'mood'"))
    }

    @Test
    fun framesComeOutStyledAndLateOnesAreDropped() = opened { model ->
        val shown = ArrayList<Pair<Int, Int>>()
        val inShow = CountDownLatch(1)
        val go = CountDownLatch(1)
        val frame = asset("golden/0-image.png")
        FrameProcessor(APP, model) {
            shown += it.width to worst(it, model.stylize(frame))
            inShow.countDown()
            go.await(20, TimeUnit.SECONDS)
        }.use { frames ->
            assertTrue(frames.submit(frame))
            assertTrue(inShow.await(20, TimeUnit.SECONDS))
            assertEquals("the first is still shown", false, frames.submit(frame))
            go.countDown()
            while (!frames.submit(frame)) Thread.onSpinWait()
            assertEquals(2 to true, frames.taken to (frames.dropped >= 1))
        }
        assertEquals(model.outputWidth to 0, shown.first())
    }

    @Test
    fun aTurnedPhotographOfFullSizeIsReducedAndStandsUpright() {
        val file = File(APP.cacheDir, "camera.jpg")
        bitmap(8000, 6000).apply { eraseColor(Color.RED) }.also { wide -> file.outputStream().use { wide.compress(Bitmap.CompressFormat.JPEG, 80, it) } }.recycle()
        ExifInterface(file.path).apply { setAttribute(ExifInterface.TAG_ORIENTATION, "6") }.saveAttributes()
        val upright = PictureLoader.load(file::inputStream)
        assertEquals(3000 to 4000, upright.width to upright.height)
    }

    @Test
    fun aTurnedPhotographStandsUpright() {
        val file = File(APP.cacheDir, "turned.jpg")
        val wide = bitmap(60, 20).apply {
            eraseColor(Color.BLUE)
            for (y in 0 until 20) for (x in 0 until 20) setPixel(x, y, Color.RED)
        }
        for ((orientation, size, red) in listOf(Triple(1, 60 to 20, 5 to 10), Triple(6, 20 to 60, 10 to 5), Triple(3, 60 to 20, 55 to 10), Triple(8, 20 to 60, 10 to 55), Triple(2, 60 to 20, 55 to 10), Triple(5, 20 to 60, 10 to 5))) {
            file.outputStream().use { wide.compress(Bitmap.CompressFormat.JPEG, 95, it) }
            ExifInterface(file.path).apply { setAttribute(ExifInterface.TAG_ORIENTATION, orientation.toString()) }.saveAttributes()
            val upright = PictureLoader.load(file::inputStream)
            assertEquals("$orientation", size, upright.width to upright.height)
            val pixel = upright.getPixel(red.first, red.second)
            assertTrue("$orientation: ${Integer.toHexString(pixel)}", Color.red(pixel) > 200 && Color.blue(pixel) < 60)
        }
    }
}
