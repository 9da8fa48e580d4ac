package org.edgebundle.app

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import java.io.File
import kotlinx.coroutines.runBlocking
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.ImageModel
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * Networks that give something else than a picture, or more: opened, checked by their goldens and used, with the real
 * TensorFlow Lite.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class SeveralOutputsTest {
    private val data =
        File(System.getProperty("edgebundle.testdata") ?: error("start these tests by 'pytest tests/android'"))

    private fun opened(name: String, work: (ImageModel, Bitmap) -> Unit) =
        ImageModel.open(APP, file = File(data, name)).use {
            work(it, BitmapFactory.decodeFile(File(data, "$name/golden/image.png").path))
        }

    private fun golden(name: String, output: String): FloatArray {
        val bytes =
            java.nio.ByteBuffer.wrap(File(data, "$name/golden/$output.f32").readBytes())
                .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer()
        return FloatArray(bytes.remaining()).also(bytes::get)
    }

    @Test
    fun aClassifierNamesWhatItSees() =
        opened("classifier") { model, picture ->
            val scores = golden("classifier", "scores")
            val best = scores.indices.maxByOrNull { scores[it] }
            val labels = model.classify(picture)
            assertEquals(listOf("cat", "dog", "house", "tree", "boat")[checkNotNull(best)], labels.first().name)
            assertEquals(scores.max(), labels.first().score, 1e-4f)
            assertEquals(2, runBlocking { model.awaitClassified(picture, most = 2) }.size)
            assertTrue(model.isClassifier && !model.givesPicture)
            assertEquals(0 to 0, model.outputWidth to model.outputHeight)
            for (call in listOf({ model.process(picture) }, { model.processLarge(picture) })) {
                assertTrue(
                    assertThrows(IllegalStateException::class.java) { call() }
                        .message
                        .orEmpty()
                        .contains("gives no picture")
                )
            }
            assertThrows(IllegalArgumentException::class.java) { FrameProcessor(APP, model) {} }
        }

    @Test
    fun aNetworkOfSeveralOutputsGivesThemAll() =
        opened("several") { model, picture ->
            assertEquals(mapOf("stylized" to 3 * 64 * 64, "mask" to 64 * 64, "scores" to 5), model.outputs)
            val all = model.run(picture)
            for (name in listOf("stylized", "mask", "scores")) assertArrayEquals(
                name,
                golden("several", name),
                all.getValue(name),
                1e-4f,
            )
            assertEquals(64, model.process(picture).width)
            assertEquals(5, model.classify(picture).size)
        }
}
