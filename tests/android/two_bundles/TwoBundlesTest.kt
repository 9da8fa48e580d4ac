package org.example.two

import android.app.Application
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.BundleError
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Two libraries of `builder package` in one app, with the real TensorFlow Lite. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class TwoBundlesTest {
    private val app: Application
        get() = RuntimeEnvironment.getApplication()

    private fun picture(path: String): Bitmap =
        app.assets.open("edgebundle/$path").use { BitmapFactory.decodeStream(it) }

    @Test
    fun bothAreOpenAtOnceAndEachGivesItsOwnGolden() {
        assertEquals(listOf("several", "small"), TwoBundles(app).names())
        val given = TwoBundles(app).processed(picture("small/golden/0-image.png"))
        assertEquals(listOf(64, 64), given.map { it.width })
        assertTrue("two networks give two pictures", !given[0].sameAs(given[1]))
        ImageModel.open(app, bundle = "several").use { model ->
            val golden =
                app.assets.open("edgebundle/several/golden/scores.f32").use {
                    ByteBuffer.wrap(it.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
                }
            val scores = model.run(picture("several/golden/image.png")).getValue("scores")
            scores.forEachIndexed { i, score -> assertTrue(abs(score - golden.get(i)) < 1e-4) }
        }
    }

    @Test
    fun withoutANameTheAppIsAskedForOne() {
        val message = assertThrows(BundleError::class.java) { ImageModel.open(app) }.message.orEmpty()
        assertTrue(message, "several bundles (several, small)" in message)
        val unknown =
            assertThrows(BundleError::class.java) { ImageModel.open(app, bundle = "absent") }.message.orEmpty()
        assertTrue(unknown, "no bundle 'absent'; it has several, small" in unknown)
    }
}
