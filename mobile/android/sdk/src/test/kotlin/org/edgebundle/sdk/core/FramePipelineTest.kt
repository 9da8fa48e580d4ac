package org.edgebundle.sdk.core

import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * What fails for one frame costs this frame alone, and nothing outlives the end. Frames are 2 x 2 pixels of one grey;
 * the network adds 100.
 */
class FramePipelineTest {
    private val shown = LinkedBlockingQueue<Int>()
    private val failures = LinkedBlockingQueue<Throwable>()
    private var onNetwork: () -> Unit = {}
    private var onShow: () -> Unit = {}
    private var tookNs = 1L
    private var onFailed: () -> Unit = {}
    private val pipeline =
        FramePipeline(
            2,
            2,
            object : FrameStages {
                override fun network(frame: IntArray, styled: IntArray): Long {
                    onNetwork()
                    for (i in frame.indices) styled[i] = grey((frame[i] and 255) + 100)
                    return tookNs
                }

                override fun show(picture: IntArray, width: Int, height: Int) {
                    onShow()
                    shown.add(picture[0] and 255)
                }

                override fun failed(error: Throwable) {
                    failures.add(error)
                    onFailed()
                }

                override fun headroom() = Float.NaN
            },
        )

    @After fun end() = pipeline.close()

    private fun grey(level: Int) = 0xff000000.toInt() or (level * 0x010101)

    private fun submit(level: Int) = pipeline.submit { it.fill(grey(level)) }

    private fun <T> LinkedBlockingQueue<T>.next(): T =
        poll(20, TimeUnit.SECONDS).also { assertNotNull("nothing came", it) }!!

    /** Submits until a picture is shown: a key may just be running. */
    private fun shownAfter(level: Int): Int {
        while (true) {
            submit(level)
            shown.poll(50, TimeUnit.MILLISECONDS)?.let {
                return it
            }
        }
    }

    @Test
    fun theFirstFrameIsShownStyled() {
        assertTrue(submit(10))
        assertEquals(110, shown.next())
    }

    @Test
    fun aFrameThatCannotBeReadIsToldAndTheNextOneIsTaken() {
        assertFalse(pipeline.submit { throw IndexOutOfBoundsException("the plane ends early") })
        assertEquals("the plane ends early", failures.next().message)
        assertTrue(submit(10))
        assertEquals(110, shown.next())
    }

    @Test
    fun whateverShowThrowsTheVideoGoesOn() {
        for (problem in
            listOf(
                IllegalStateException("the view is gone"),
                OutOfMemoryError("a bitmap"),
                NoClassDefFoundError("View"),
                NotImplementedError(),
                AssertionError("theirs"),
            )) {
            onShow = {
                onShow = {}
                throw problem
            }
            while (failures.isEmpty()) submit(10)
            assertEquals(problem, failures.next())
            assertEquals(110, shownAfter(10))
        }
    }

    @Test
    fun aNetworkThatFailsOnceIsToldAndRunsAgain() {
        onNetwork = {
            onNetwork = {}
            throw BundleError("the GPU was taken away")
        }
        submit(10)
        assertEquals("the GPU was taken away", failures.next().message)
        assertEquals(110, shownAfter(10))
    }

    @Test
    fun aCancelledFrameIsNoFailure() {
        onNetwork = {
            onNetwork = {}
            throw java.util.concurrent.CancellationException()
        }
        submit(10)
        assertEquals(110, shownAfter(10))
        assertNull(failures.poll())
    }

    @Test
    fun aFailureListenerThatFailsEndsNothing() {
        onFailed = { error("the listener") }
        assertFalse(pipeline.submit { throw IndexOutOfBoundsException() })
        failures.next()
        assertEquals(110, shownAfter(10))
    }

    @Test
    fun framesAreCarriedAndShownWhileTheNetworkRuns() {
        assertEquals(110, shownAfter(10))
        val running = CountDownLatch(1)
        val go = CountDownLatch(1)
        onNetwork = {
            running.countDown()
            go.await()
        }
        while (running.count > 0) submit(20)
        shown.clear()
        repeat(5) {
            assertTrue(submit(20))
            assertTrue("carried", shown.next() in 20..120)
        }
        go.countDown()
    }

    @Test
    fun whatTheNetworkWaitedForIsNotItsTime() {
        onNetwork = { Thread.sleep(50) } // another call's turn on the model
        repeat(3) { shownAfter(10) }
        assertEquals(FramePace(1, 1), pipeline.pace)
    }

    @Test
    fun afterTheEndASubmitSaysFalseAndNothingIsShown() {
        assertEquals(110, shownAfter(10))
        pipeline.close()
        pipeline.close()
        assertFalse(submit(10))
        assertFalse(pipeline.submit { error("is not read any more") })
        assertNull(shown.poll())
        assertTrue(pipeline.isClosed)
    }

    @Test
    fun theEndComesFromInsideShowToo() {
        val closed = CountDownLatch(1)
        onShow = {
            pipeline.close()
            closed.countDown()
        }
        submit(10)
        assertTrue(closed.await(20, TimeUnit.SECONDS))
        assertFalse(submit(10))
    }

    @Test
    fun theEndDuringTheNetworkShowsNothingMore() {
        val running = CountDownLatch(1)
        val go = CountDownLatch(1)
        onNetwork = {
            running.countDown()
            go.await()
        }
        submit(10)
        running.await()
        pipeline.close()
        go.countDown()
        assertNull(shown.poll(100, TimeUnit.MILLISECONDS))
    }
}
