package org.edgebundle.app

import android.app.Activity
import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.YuvFrame
import org.edgebundle.sdk.core.YuvPlane
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * A video with Android's own bitmaps and the real TensorFlow Lite of a desktop: frames come out styled, and no fault
 * ends it.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class FrameProcessorTest {
    private val shown = LinkedBlockingQueue<Int>()
    private val failures = LinkedBlockingQueue<Throwable>()

    private fun opened(work: (ImageModel) -> Unit) = ImageModel.open(APP, threads = 2).use(work)

    private fun frames(model: ImageModel, show: (Bitmap) -> Unit = { shown.add(it.width) }) =
        FrameProcessor(APP, model, failures::add, show)

    private fun FrameProcessor.showsAgain(frame: Bitmap) {
        shown.clear()
        while (shown.poll(50, TimeUnit.MILLISECONDS) == null) submit(frame)
    }

    private fun <T> LinkedBlockingQueue<T>.next(): T =
        poll(20, TimeUnit.SECONDS).also { assertNotNull("nothing came", it) }!!

    @Test
    fun framesComeOutStyled() = opened { model ->
        val frame = asset("golden/0-image.png")
        val wanted = model.process(frame)
        val differences = LinkedBlockingQueue<Int>()
        frames(model) { differences.add(worst(it, wanted)) }
            .use {
                assertTrue(it.submit(frame))
                assertEquals(0, differences.next())
                it.showsAgainBy(frame, differences)
                assertEquals("a carried frame that did not move looks as the key", 0, differences.next())
            }
    }

    private fun FrameProcessor.showsAgainBy(frame: Bitmap, queue: LinkedBlockingQueue<Int>) {
        while (queue.isEmpty()) {
            submit(frame)
            Thread.sleep(5)
        }
    }

    @Test
    fun afterCloseASubmitSaysFalseAndTheModelWorksOn() = opened { model ->
        val frame = asset("golden/0-image.png")
        val processor = frames(model)
        processor.submit(frame)
        shown.next()
        processor.close()
        processor.close()
        assertFalse(processor.submit(frame))
        assertEquals(model.outputWidth, model.process(frame).width)
    }

    @Test
    fun closingAVideoCancelsNoOtherCallOnTheModel() = opened { model ->
        val processor = frames(model)
        val begun = CountDownLatch(1)
        val go = CountDownLatch(1)
        val told = LinkedBlockingQueue<Any>()
        model.processLargeAsync(
            Bitmap.createBitmap(300, 300, Bitmap.Config.ARGB_8888),
            progress = { _, _ ->
                begun.countDown()
                go.await()
            },
        ) { picture, error ->
            told.add(picture ?: checkNotNull(error))
        }
        begun.await()
        processor.submit(asset("golden/0-image.png")) // waits for its turn
        processor.close()
        go.countDown()
        assertTrue("${told.peek()}", told.next() is Bitmap)
    }

    @Test
    fun recycledBitmapsShortPlanesAndAShowThatThrowsCostOneFrameEach() = opened { model ->
        val frame = asset("golden/0-image.png")
        var throws = false
        frames(model) {
                if (throws) error("the view is gone".also { throws = false })
                shown.add(it.width)
            }
            .use { processor ->
                assertFalse(processor.submit(Bitmap.createBitmap(8, 8, Bitmap.Config.ARGB_8888).apply { recycle() }))
                assertTrue(failures.next().message.orEmpty().contains("recycled"))
                processor.showsAgain(frame)
                fun plane(bytes: Int) = YuvPlane(ByteBuffer.allocateDirect(bytes), 64, 1)
                assertFalse(processor.submit(YuvFrame(64, 64, plane(100), plane(4096), plane(4096), 90)))
                assertTrue(failures.next().message.orEmpty().contains("plane y"))
                processor.showsAgain(frame)
                throws = true
                while (failures.isEmpty()) processor.submit(frame)
                assertEquals("the view is gone", failures.next().message)
                processor.showsAgain(frame)
            }
    }

    @Test
    fun cancelOfTheModelEndsNoVideo() = opened { model ->
        val frame = asset("golden/0-image.png")
        frames(model).use { processor ->
            repeat(50) {
                processor.submit(frame)
                model.cancel()
            }
            processor.showsAgain(frame)
            assertTrue("$failures", failures.none { it is CancellationException })
        }
    }

    @Test
    fun aClosedModelEndsItsVideo() {
        val model = ImageModel.open(APP, threads = 2)
        val frame = asset("golden/0-image.png")
        frames(model).use { processor ->
            processor.submit(frame)
            shown.next()
            model.close()
            while (processor.submit(frame)) Thread.sleep(5)
            assertTrue(failures.next().message.orEmpty().contains("closed"))
        }
    }

    @Test
    fun aVideoEndsWithItsActivity() = opened { model ->
        val controller = Robolectric.buildActivity(Activity::class.java).setup()
        val processor = FrameProcessor(controller.get(), model) { shown.add(it.width) }
        assertTrue(processor.submit(asset("golden/0-image.png")))
        shown.next()
        controller.pause().stop().destroy()
        assertFalse(processor.submit(asset("golden/0-image.png")))
    }
}
