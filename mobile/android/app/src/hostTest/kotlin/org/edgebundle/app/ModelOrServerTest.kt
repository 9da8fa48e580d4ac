package org.edgebundle.app

import android.graphics.Bitmap
import com.sun.net.httpserver.HttpServer
import java.io.ByteArrayOutputStream
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import org.edgebundle.sdk.ModelOrServer
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.RemoteConsent
import org.edgebundle.sdk.core.RemoteQuestion
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * The app's model with a server as its last resort: the real server target of the same bundle, over loopback. In
 * `broken` no variant passes its golden.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ModelOrServerTest {
    private val data =
        File(System.getProperty("edgebundle.testdata") ?: error("start these tests by 'pytest tests/android'"))
    private val address = File(data, "server.txt").readText()
    private val input
        get() = asset("golden/0-image.png")

    private val wanted
        get() = asset("golden/0-stylized.png")

    private val nobody = RemoteConsent { error("nobody is to be asked, but: ${it.reason}") }

    private fun opened(consent: RemoteConsent, name: String = "broken", at: String = address) =
        ModelOrServer.open(APP, at, consent, file = File(data, name))

    private fun refusal(work: () -> Unit): String = assertThrows(BundleError::class.java, work).message.orEmpty()

    @Test
    fun whereTheDeviceCanNobodyIsAskedAndNothingIsSent() =
        ModelOrServer.open(APP, address, nobody).use { model ->
            assertNotNull(model.model)
            assertNull(model.server)
            val made = model.process(input)
            assertNull(made.sent)
            assertTrue("${worst(made.picture, wanted)}", worst(made.picture, wanted) <= 1)
        }

    @Test
    fun whereItCannotTheServerRendersAndWhatWasSentIsTold() {
        val asked = ArrayList<RemoteQuestion>()
        opened({ asked.add(it) }).use { model ->
            assertNull(model.model)
            val made = model.process(input)
            assertTrue("${worst(made.picture, wanted)}", worst(made.picture, wanted) <= 1)
            assertEquals(address.removePrefix("http://"), asked.single().to)
            assertTrue(asked.single().reason, asked.single().reason.contains("golden"))
            assertEquals(asked.single().to, made.sent?.to)
            assertEquals(listOf(made.sent), model.server?.record)
            assertEquals(0, worst(model.process(input, strength = 0f).picture, input))
            val large = Bitmap.createBitmap(640, 480, Bitmap.Config.ARGB_8888)
            val small = model.process(large)
            assertEquals(wanted.width to wanted.height, small.picture.width to small.picture.height)
            assertTrue("${small.sent}", checkNotNull(small.sent).bytes < 640 * 480)
            assertThrows(IllegalArgumentException::class.java) { model.process(input, strength = 2f) }
            assertEquals(1, asked.size)
        }
    }

    @Test
    fun whoeverDoesNotAgreeGetsBothReasons() {
        val said = refusal { opened({ false }) }
        assertTrue(said, said.contains("golden") && said.endsWith("since nobody agreed."))
    }

    @Test
    fun nobodyIsAskedForANetworkThatAServerCannotServe() {
        val said = refusal { opened(nobody, "broken-classifier") }
        assertTrue(said, said.contains("no variant"))
    }

    @Test
    fun aServerThatDoesNotGiveTheNetworksPictureIsTold() {
        val answers = ArrayDeque<ByteArray>()
        val other = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)
        other.createContext("/") { exchange ->
            exchange.requestBody.readBytes()
            val body = answers.removeFirst()
            exchange.sendResponseHeaders(200, body.size.toLong())
            exchange.responseBody.use { it.write(body) }
        }
        other.start()
        try {
            val facts = """{"name": "small", "variant": "v", "width": ${input.width}, "height": ${input.height}}"""
            answers += facts.toByteArray()
            opened({ true }, at = "http://127.0.0.1:${other.address.port}").use { model ->
                answers += png(8, 8)
                val said = refusal { model.process(input) }
                assertTrue(said, said.contains("a picture of 8 x 8 pixels, not ${wanted.width} x ${wanted.height}"))
                answers += png(wanted.width, wanted.height).copyOf(33) // its head alone
                assertTrue(refusal { model.process(input) }.contains("cannot be read"))
            }
        } finally {
            other.stop(0)
        }
    }

    private fun png(width: Int, height: Int): ByteArray =
        ByteArrayOutputStream()
            .also {
                Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).compress(Bitmap.CompressFormat.PNG, 100, it)
            }
            .toByteArray()
}
