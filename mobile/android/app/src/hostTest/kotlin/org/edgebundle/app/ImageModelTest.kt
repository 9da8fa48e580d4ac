package org.edgebundle.app

import android.app.ActivityManager
import android.graphics.Bitmap
import android.graphics.Color
import android.media.ExifInterface
import java.io.File
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.core.BundleError
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
class ImageModelTest {
    private fun opened(work: (ImageModel) -> Unit) = ImageModel.open(APP, threads = 2).use(work)

    private fun free(bytes: Long) =
        shadowOf(APP.getSystemService(ActivityManager::class.java))
            .setMemoryInfo(ActivityManager.MemoryInfo().apply { availMem = bytes })

    private fun bitmap(width: Int, height: Int, config: Bitmap.Config = Bitmap.Config.ARGB_8888) =
        Bitmap.createBitmap(width, height, config)

    @Test
    fun processGivesTheGoldenPictureAndReusesABitmap() = opened { model ->
        val input = asset("golden/0-image.png")
        val first = model.process(input)
        assertTrue("${worst(first, asset("golden/0-stylized.png"))}", worst(first, asset("golden/0-stylized.png")) <= 1)
        assertSame(first, model.process(input, into = first))
        assertNotSame(first, model.process(input))
    }

    @Test
    fun strengthMixesWithTheOriginal() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(model.process(input, strength = 0f), input))
        val half = model.process(input, strength = 0.5f)
        val (before, after) = input.getPixel(3, 3) to asset("golden/0-stylized.png").getPixel(3, 3)
        assertEquals((Color.red(before) + Color.red(after)) / 2.0, Color.red(half.getPixel(3, 3)).toDouble(), 1.5)
        assertThrows(IllegalArgumentException::class.java) { model.process(input, strength = 1.5f) }
    }

    @Test
    fun picturesOfAnySizeAndConfigAreTaken() = opened { model ->
        for ((width, height) in listOf(1 to 1, 640 to 480, 33 to 500, 8000 to 6000)) {
            val result = model.process(bitmap(width, height))
            assertEquals(model.outputWidth to model.outputHeight, result.width to result.height)
        }
        assertEquals(model.outputWidth, model.process(bitmap(20, 20, Bitmap.Config.RGB_565)).width)
        val recycled = bitmap(4, 4).apply { recycle() }
        assertThrows(IllegalArgumentException::class.java) { model.process(recycled) }
    }

    @Test
    fun aPictureOfTheModelsSizeIsTheSameInTiles() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(model.processLarge(input), model.process(input)))
    }

    @Test
    fun largePicturesKeepTheirSize() = opened { model ->
        for ((width, height) in listOf(1 to 1, 70 to 41, 301 to 97)) {
            var last = 0 to 0
            val result = model.processLarge(bitmap(width, height)) { done, tiles -> last = done to tiles }
            assertEquals(width to height, result.width to result.height)
            assertEquals(last.first, last.second)
        }
    }

    @Test
    fun aVeryLargePictureIsRendered() = opened { model ->
        free(bytes = 16_000_000)
        val result = model.processLarge(bitmap(8000, 6000).apply { eraseColor(Color.rgb(40, 90, 160)) })
        // As much of it as the memory allows, in its proportions, to the last pixel.
        assertEquals(8000.0 / 6000, result.width.toDouble() / result.height, 0.02)
        assertEquals(255, Color.alpha(result.getPixel(result.width - 1, result.height - 1)))
    }

    @Test
    fun littleMemoryMakesAPictureSmaller() = opened { model ->
        free(bytes = 4_000_000)
        val result = model.processLarge(bitmap(1000, 500))
        assertEquals(2.0, result.width.toDouble() / result.height, 0.02)
        assertTrue("${result.width}", result.width * result.height * 16L <= 4_000_000)
    }

    @Test
    fun cancelEndsTheCallInProgressAlone() = opened { model ->
        assertThrows(CancellationException::class.java) {
            model.processLarge(bitmap(300, 300)) { done, _ -> if (done == 2) model.cancel() }
        }
        assertEquals(300, model.processLarge(bitmap(300, 300)).width)
    }

    @Test
    fun coroutinesWaitWithoutBlocking() = opened { model ->
        val input = asset("golden/0-image.png")
        assertEquals(0, worst(runBlocking { model.awaitProcessed(input) }, model.process(input)))
        assertThrows(IllegalArgumentException::class.java) {
            runBlocking { model.awaitProcessed(input, strength = 2f) }
        }
    }

    @Test
    fun cancellingACoroutineEndsItsOwnCallAlone() = opened { model ->
        runBlocking {
            val begun = CompletableDeferred<Int>()
            var last = 0
            val large =
                launch(Dispatchers.Default) {
                    model.awaitProcessedLarge(bitmap(2000, 2000)) { done, tiles ->
                        last = done
                        begun.complete(tiles)
                    }
                }
            val tiles = begun.await()
            val waiting = launch(Dispatchers.Default) { model.awaitProcessed(bitmap(8, 8)) }
            large.cancelAndJoin()
            waiting.join()
            assertTrue("$last of $tiles tiles", last < tiles)
            assertEquals(model.outputWidth, model.awaitProcessed(bitmap(8, 8)).width)
        }
    }

    @Test
    fun aClosedModelSaysSo() {
        val model = ImageModel.open(APP)
        model.close()
        model.close()
        assertTrue(
            assertThrows(IllegalStateException::class.java) { model.process(bitmap(8, 8)) }
                .message
                .orEmpty()
                .contains("closed")
        )
    }

    @Test
    fun aStyleThatTheModelDoesNotHaveIsNamed() = opened { model ->
        assertEquals(emptyMap<String, Int>(), model.styles)
        assertTrue(
            assertThrows(IllegalArgumentException::class.java) { model.setStyle("mood", floatArrayOf(1f)) }
                .message
                .orEmpty()
                .contains("'mood'")
        )
    }

    @Test
    fun aBitmapToWriteIntoThatDoesNotFitIsRefusedBeforeAnythingIsWritten() = opened { model ->
        val input = asset("golden/0-image.png")
        val (width, height) = model.outputWidth to model.outputHeight
        for (wrong in
            listOf(
                bitmap(width + 8, height + 8),
                bitmap(width - 1, height),
                bitmap(width, height).copy(Bitmap.Config.ARGB_8888, false),
                bitmap(width, height).apply { recycle() },
                bitmap(width, height, Bitmap.Config.ALPHA_8),
            )) {
            val error = assertThrows(IllegalArgumentException::class.java) { model.process(input, into = wrong) }
            assertTrue(error.message, "to write into" in error.message.orEmpty())
        }
        val larger = bitmap(width + 8, height + 8).apply { eraseColor(Color.GREEN) }
        assertThrows(IllegalArgumentException::class.java) { model.process(input, into = larger) }
        assertEquals(Color.GREEN, larger.getPixel(0, 0))
    }

    @Test
    fun aTransparentPictureGivesOnePictureWhicheverWay() = opened { model ->
        val glass = bitmap(model.inputSpec.width, model.inputSpec.height)
        for (y in 0 until glass.height) for (x in 0 until glass.width) glass.setPixel(
            x,
            y,
            Color.argb(x * 255 / (glass.width - 1), 200, 30, y * 255 / (glass.height - 1)),
        )
        val white = glass.copy(Bitmap.Config.ARGB_8888, true)
        val canvas = android.graphics.Canvas(white)
        canvas.drawColor(Color.WHITE)
        canvas.drawBitmap(glass, 0f, 0f, null)
        val wanted = model.process(white)
        assertTrue("${worst(model.process(glass), wanted)}", worst(model.process(glass), wanted) <= 1)
        assertTrue("${worst(model.processLarge(glass), wanted)}", worst(model.processLarge(glass), wanted) <= 1)
        assertTrue("the original that a strength mixes in, too", worst(model.process(glass, strength = 0f), white) <= 1)
        assertTrue(
            "${worst(model.processLarge(glass, strength = 0f), white)}",
            worst(model.processLarge(glass, strength = 0f), white) <= 2,
        )
        assertEquals(255, Color.alpha(model.process(glass).getPixel(0, 0)))
        assertEquals(false, model.process(glass).hasAlpha())
    }

    @Test
    fun aWishedVariantIsCheckedAndOthersFollowIt() {
        ImageModel.open(APP, variant = "tflite-second").use {
            assertEquals("tflite-second" to 0, it.variant to it.tried.size)
        }
        val message =
            assertThrows(BundleError::class.java) { ImageModel.open(APP, variant = "absent") }.message.orEmpty()
        assertTrue(message, "tflite-first, tflite-second" in message)
        val damaged = folder("damaged")
        File(damaged, "variants/second.tflite").appendText("more")
        ImageModel.open(APP, variant = "tflite-second", folder = damaged).use {
            assertEquals("tflite-first" to "tflite-second", it.variant to it.tried.single().variant)
            assertTrue(it.messages.toString(), "hash" in it.messages.single())
        }
        assertThrows(IllegalArgumentException::class.java) { ImageModel.open(APP, threads = 0) }
    }

    @Test
    fun openingIsCheckedOnceForEachInstalledBundle() {
        val bundle = folder("once")
        ImageModel.open(APP, folder = bundle).close()
        File(bundle, "golden").deleteRecursively() // what is not read cannot be missed
        ImageModel.open(APP, folder = bundle).use { assertEquals("tflite-first", it.variant) }
    }

    @Test
    fun twoOpensAtOnceBothWork() {
        val threads = Executors.newFixedThreadPool(4)
        val all = (0 until 4).map { threads.submit<String> { ImageModel.open(APP).use { it.variant } } }
        assertEquals(List(4) { "tflite-first" }, all.map { it.get(60, TimeUnit.SECONDS) })
        threads.shutdown()
    }

    @Test
    fun aCallbackIsToldThePictureOrTheEnd() = opened { model ->
        val told = LinkedBlockingQueue<Pair<Bitmap?, Throwable?>>()
        val input = asset("golden/0-image.png")
        model.processAsync(input) { picture, error -> told.add(picture to error) }
        assertEquals(0, worst(checkNotNull(told.poll(20, TimeUnit.SECONDS)?.first), model.process(input)))
        val begun = CountDownLatch(1)
        val go = CountDownLatch(1)
        val call =
            model.processLargeAsync(
                bitmap(400, 400),
                progress = { _, _ ->
                    begun.countDown()
                    go.await()
                },
            ) { picture, error ->
                told.add(picture to error)
            }
        begun.await()
        call.close()
        go.countDown()
        assertTrue(checkNotNull(told.poll(20, TimeUnit.SECONDS)).second is CancellationException)
    }

    @Test
    fun theNamesForStylesStayWhatTheyWere() =
        StyleModel.open(APP, threads = 2).use { model: StyleModel ->
            val input = asset("golden/0-image.png")
            assertEquals(0, worst(model.stylize(input), model.process(input)))
            assertEquals(0, worst(model.stylizeLarge(input), model.process(input)))
        }

    @Test
    fun aCallFromInsideProgressIsRefusedInWords() = opened { model ->
        val error =
            assertThrows(IllegalStateException::class.java) {
                model.processLarge(bitmap(300, 300)) { _, _ -> model.process(bitmap(8, 8)) }
            }
        assertTrue(error.message, "from inside another one" in error.message.orEmpty())
        assertEquals(8, model.processLarge(bitmap(8, 8)).width)
    }

    @Test
    fun closeDuringACallEndsItAndWaitsForIt() {
        val model = ImageModel.open(APP, threads = 1)
        val begun = CountDownLatch(1)
        val thread = Executors.newSingleThreadExecutor()
        val call = thread.submit { model.processLarge(bitmap(3000, 3000)) { _, _ -> begun.countDown() } }
        begun.await()
        model.close()
        assertTrue(
            assertThrows(ExecutionException::class.java) { call.get(20, TimeUnit.SECONDS) }.cause
                is CancellationException
        )
        thread.shutdown()
    }

    @Test
    fun aTurnedPhotographOfFullSizeIsReducedAndStandsUpright() {
        val file = File(APP.cacheDir, "camera.jpg")
        bitmap(8000, 6000)
            .apply { eraseColor(Color.RED) }
            .also { wide -> file.outputStream().use { wide.compress(Bitmap.CompressFormat.JPEG, 80, it) } }
            .recycle()
        ExifInterface(file.path).apply { setAttribute(ExifInterface.TAG_ORIENTATION, "6") }.saveAttributes()
        val upright = PictureLoader.load(file::inputStream)
        assertEquals(3000 to 4000, upright.width to upright.height)
    }

    @Test
    fun aTurnedPhotographStandsUpright() {
        val file = File(APP.cacheDir, "turned.jpg")
        val wide =
            bitmap(60, 20).apply {
                eraseColor(Color.BLUE)
                for (y in 0 until 20) for (x in 0 until 20) setPixel(x, y, Color.RED)
            }
        for ((orientation, size, red) in
            listOf(
                Triple(1, 60 to 20, 5 to 10),
                Triple(6, 20 to 60, 10 to 5),
                Triple(3, 60 to 20, 55 to 10),
                Triple(8, 20 to 60, 10 to 55),
                Triple(2, 60 to 20, 55 to 10),
                Triple(5, 20 to 60, 10 to 5),
            )) {
            file.outputStream().use { wide.compress(Bitmap.CompressFormat.JPEG, 95, it) }
            ExifInterface(file.path)
                .apply { setAttribute(ExifInterface.TAG_ORIENTATION, orientation.toString()) }
                .saveAttributes()
            val upright = PictureLoader.load(file::inputStream)
            assertEquals("$orientation", size, upright.width to upright.height)
            val pixel = upright.getPixel(red.first, red.second)
            assertTrue("$orientation: ${Integer.toHexString(pixel)}", Color.red(pixel) > 200 && Color.blue(pixel) < 60)
        }
    }
}
