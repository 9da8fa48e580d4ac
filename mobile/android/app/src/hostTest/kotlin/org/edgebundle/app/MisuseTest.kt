package org.edgebundle.app

import android.graphics.Bitmap
import android.graphics.Color
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.BundleError
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** What somebody does who has read the first page of the documents alone: it works, or says in words what to do. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class MisuseTest {
    private fun opened(work: (ImageModel) -> Unit) = ImageModel.open(APP, threads = 1).use(work)

    private fun bitmap(width: Int, height: Int, config: Bitmap.Config = Bitmap.Config.ARGB_8888) =
        Bitmap.createBitmap(width, height, config).apply { eraseColor(Color.rgb(90, 30, 200)) }

    private inline fun <reified T : Throwable> says(word: String, crossinline call: () -> Unit) {
        val message = assertThrows(T::class.java) { call() }.message.orEmpty()
        assertTrue("'$message' does not speak of $word", word in message)
    }

    @Test
    fun aFolderThatHoldsNoBundle() {
        says<BundleError>("manifest.json") { ImageModel.open(APP, folder = File(APP.filesDir, "nowhere")) }
        says<BundleError>("manifest.json") { ImageModel.open(APP, folder = APP.filesDir) }
        val whole = folder("inner")
        says<BundleError>("manifest.json") { ImageModel.open(APP, folder = File(whole, "variants")) }
    }

    @Test
    fun thinWideAndVeryDeepPicturesGiveTheSameColourAsSquareOnes() = opened { model ->
        val wanted = model.process(bitmap(64, 64))
        for (odd in
            listOf(
                bitmap(1, 20_000),
                bitmap(20_000, 1),
                bitmap(64, 64, Bitmap.Config.RGBA_F16),
                bitmap(5000, 3),
            )) assertTrue(worst(model.process(odd), wanted) <= 1)
        assertEquals(1 to 5000, model.processLarge(bitmap(1, 5000)).let { it.width to it.height })
    }

    @Test
    fun theSourceItselfMayTakeTheResult() = opened { model ->
        val input = asset("golden/0-image.png").copy(Bitmap.Config.ARGB_8888, true)
        val wanted = model.process(input)
        assertEquals(0, worst(model.process(input, into = input), wanted))
    }

    @Test
    fun strengthsAndNamesThatDoNotExist() = opened { model ->
        for (strength in listOf(Float.NaN, -0.1f, 1.1f, Float.POSITIVE_INFINITY)) {
            says<IllegalArgumentException>("strength") { model.process(bitmap(8, 8), strength) }
            says<IllegalArgumentException>("strength") { model.processLarge(bitmap(8, 8), strength) }
        }
        says<IllegalStateException>("no labels") { model.classify(bitmap(8, 8)) }
        says<IllegalArgumentException>("recycled") { model.processLarge(bitmap(8, 8).apply { recycle() }) }
        says<IllegalArgumentException>("recycled") { model.run(bitmap(8, 8).apply { recycle() }) }
    }

    @Test
    fun framesOfChangingSizesAndCallsFromInsideShow() = opened { model ->
        val shown = LinkedBlockingQueue<Int>()
        lateinit var frames: FrameProcessor
        frames =
            FrameProcessor(APP, model, failed = { shown.add(-1) }) { picture ->
                shown.add(model.process(picture).width)
                frames.submit(picture)
            }
        frames.use {
            for (size in listOf(8, 200, 31, 640)) {
                frames.submit(bitmap(size, size / 2))
                assertEquals(model.outputWidth, shown.poll(20, TimeUnit.SECONDS))
            }
        }
    }

    @Test
    fun severalThreadsSubmitToOneVideo() = opened { model ->
        val shown = CountDownLatch(10)
        FrameProcessor(APP, model) { shown.countDown() }
            .use { frames ->
                val threads = List(4) { Thread { while (shown.count > 0) frames.submit(bitmap(50 + it, 40)) } }
                threads.forEach(Thread::start)
                assertTrue(shown.await(60, TimeUnit.SECONDS))
                threads.forEach { it.join(20_000) }
            }
    }

    @Test
    fun aVideoOfAModelThatIsClosedAlready() {
        val model = ImageModel.open(APP).apply { close() }
        val failures = LinkedBlockingQueue<Throwable>()
        FrameProcessor(APP, model, failures::add) {}
            .use { frames ->
                frames.submit(bitmap(8, 8))
                assertNotNull(failures.poll(20, TimeUnit.SECONDS))
                while (frames.submit(bitmap(8, 8))) Thread.sleep(5)
                assertFalse(frames.submit(bitmap(8, 8)))
            }
        says<IllegalStateException>("closed") { model.processAsync(bitmap(8, 8)) { _, _ -> } }
        says<IllegalStateException>("closed") { model.run(bitmap(8, 8)) }
        model.cancel()
    }

    @Test
    fun twoModelsOfOneBundleDoNotTouchOneAnother() = opened { first ->
        ImageModel.open(APP, threads = 1).use { second ->
            val input = asset("golden/0-image.png")
            val wanted = second.process(input)
            first.close()
            assertEquals(0, worst(second.process(input), wanted))
        }
    }
}
