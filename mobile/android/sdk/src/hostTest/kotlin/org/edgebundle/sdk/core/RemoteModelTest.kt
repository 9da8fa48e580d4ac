package org.edgebundle.sdk.core

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.Executors
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The last resort over a real socket: what is asked first, what is sent, and what becomes of each kind of answer. */
class RemoteModelTest {
    private val threads = Executors.newCachedThreadPool()
    private val server =
        HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
            executor = threads
            createContext("/") { answer(it) }
            start()
        }
    private val address = "http://127.0.0.1:${server.address.port}"
    private val asked = ConcurrentLinkedQueue<String>()
    private var facts = """{"name": "small", "variant": "tflite-fp32", "width": 8, "height": 8}"""
    private var process: (HttpExchange, ByteArray) -> Unit = { exchange, _ -> exchange.say(200, PNG) }

    private fun answer(exchange: HttpExchange) {
        asked += "${exchange.requestMethod} ${exchange.requestURI}"
        val body = exchange.requestBody.readBytes()
        if (exchange.requestURI.path == "/v1/model") exchange.say(200, facts.toByteArray()) else process(exchange, body)
    }

    private fun HttpExchange.say(status: Int, body: ByteArray, vararg headers: Pair<String, String>) {
        for ((name, value) in headers) responseHeaders.set(name, value)
        sendResponseHeaders(status, body.size.toLong())
        responseBody.use { it.write(body) }
    }

    private fun opened(limits: RemoteLimits = RemoteLimits()) =
        RemoteModel.open(address, "no variant works.", "small", limits) { true }

    private fun refusal(work: () -> Unit): String = assertThrows(BundleError::class.java, work).message.orEmpty()

    @After
    fun stop() {
        server.stop(0)
        threads.shutdownNow()
    }

    @Test
    fun nothingIsSentBeforeTheUserAgrees() {
        val questions = ArrayList<RemoteQuestion>()
        val said = refusal {
            RemoteModel.open(address, "no variant works.", "small") {
                questions += it
                false
            }
        }
        assertEquals("127.0.0.1:${server.address.port}", questions.single().to)
        assertEquals("no variant works.", questions.single().reason)
        assertTrue(said, said.contains("nobody agreed"))
        assertTrue(asked.isEmpty())
    }

    @Test
    fun whatIsSentIsToldInTheResultAndTheRecord() {
        var got = ByteArray(0)
        process = { exchange, body ->
            got = body
            assertEquals("image/jpeg", exchange.requestHeaders.getFirst("Content-Type"))
            val vectors = exchange.requestURI.query.removePrefix("vectors=")
            assertEquals(0.5, JSONObject(vectors).getJSONArray("style").getDouble(1), 0.0)
            exchange.say(200, PNG)
        }
        val model = opened()
        val answer = model.process(byteArrayOf(1, 2, 3), "image/jpeg", mapOf("style" to floatArrayOf(1f, 0.5f)))
        assertArrayEquals(byteArrayOf(1, 2, 3), got)
        assertArrayEquals(PNG, answer.png)
        assertEquals(3, answer.sent.bytes)
        assertEquals(
            "3 bytes were sent to ${model.host}, whose variant 'tflite-fp32' rendered them",
            model.record.single().toString(),
        )
    }

    @Test
    fun aBusyServerIsAskedOnceMore() {
        val statuses = ArrayDeque(listOf(429, 200, 429, 429))
        process = { exchange, _ ->
            val status = statuses.removeFirst()
            exchange.say(
                status,
                if (status == 200) PNG else """{"detail": "the queue is full."}""".toByteArray(),
                "Retry-After" to "0",
            )
        }
        val model = opened()
        assertArrayEquals(PNG, model.process(PNG).png)
        assertTrue(refusal { model.process(PNG) }.endsWith("answered 429: the queue is full."))
        assertTrue(statuses.isEmpty())
    }

    @Test
    fun aServerThatIsBusyForLongIsNotWaitedFor() {
        process = { exchange, _ -> exchange.say(429, ByteArray(0), "Retry-After" to "3600") }
        assertTrue(refusal { opened().process(PNG) }.contains("answered 429"))
        assertEquals(1, asked.count { it.startsWith("POST") })
    }

    @Test
    fun sizesAndTimesAreBounded() {
        process = { exchange, _ -> exchange.say(200, ByteArray(200_000)) }
        val small = RemoteLimits(mostBytes = 1000, mostAnswerBytes = 100_000)
        assertTrue(refusal { opened(small).process(ByteArray(1001)) }.contains("at most 1000 are sent"))
        assertTrue(refusal { opened(small).process(PNG) }.contains("more than 100000 bytes"))
        process = { exchange, _ ->
            exchange.sendResponseHeaders(200, 0)
            exchange.responseBody.use { stream ->
                repeat(100) {
                    stream.write(0)
                    stream.flush()
                    Thread.sleep(50)
                }
            }
        }
        assertTrue(refusal { opened(RemoteLimits(answerMs = 300)).process(PNG) }.contains("within 300 ms"))
    }

    @Test
    fun aRedirectionIsNotFollowed() {
        process = { exchange, _ -> exchange.say(307, ByteArray(0), "Location" to "$address/elsewhere") }
        assertTrue(refusal { opened().process(PNG) }.contains("answered 307"))
        assertEquals(1, asked.count { it.startsWith("POST") })
    }

    @Test
    fun whatIsNoPictureAndAnotherNetworkAreRefused() {
        process = { exchange, _ -> exchange.say(200, "hello".toByteArray()) }
        assertTrue(refusal { opened().process(PNG) }.contains("no PNG picture"))
        facts = """{"name": "other", "variant": "x", "width": 8, "height": 8}"""
        assertTrue(refusal { opened() }.endsWith("serves 'other', not 'small'."))
        facts = "<html>"
        assertTrue(refusal { opened() }.contains("is no server of"))
    }

    @Test
    fun onlyAddressesThatNobodyListensToAreTaken() {
        for (wrong in
            listOf(
                "http://example.org/",
                "http://127.0.0.1.example.org/",
                "https://user:word@example.org/",
                "https://example.org/?key=1",
                "ftp://127.0.0.1/",
                "file:///etc/passwd",
                "https://",
                "example.org",
                "https://exa mple.org/",
            )) {
            val said = refusal { RemoteModel.open(wrong, "", null) { error("nobody is asked for $wrong") } }
            assertTrue(said, said.startsWith("'"))
        }
    }

    @Test
    fun aServerThatIsNotThereIsTold() {
        server.stop(0)
        assertTrue(refusal { opened() }.contains("cannot be reached"))
    }

    private companion object {
        val PNG = byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte(), 1)
    }
}

/** Sends `picture.png` of a folder to the server that `address.txt` names, and tells what came back. */
fun main(arguments: Array<String>) {
    val folder = File(arguments.single())
    val model =
        RemoteModel.open(File(folder, "address.txt").readText(), "a test asks.", "small") {
            println("asked: ${it.to}")
            true
        }
    val answer = model.process(File(folder, "picture.png").readBytes())
    File(folder, "made.png").writeBytes(answer.png)
    println("size: ${model.width} x ${model.height}")
    println("sent: ${answer.sent}")
}
