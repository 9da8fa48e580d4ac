package org.edgebundle.sdk.core

import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.net.HttpURLConnection
import java.net.SocketTimeoutException
import java.net.URI
import java.net.URISyntaxException
import java.net.URLEncoder
import java.util.concurrent.TimeUnit
import org.json.JSONException
import org.json.JSONObject

/** What the user is asked before anything is sent: pictures would go [to] that host, because of [reason]. */
class RemoteQuestion(val to: String, val reason: String)

/** Asks the user, on the thread that opens the model; `true` is consent. */
fun interface RemoteConsent {
    fun agrees(question: RemoteQuestion): Boolean
}

/** What left this device: a picture file of [bytes] bytes went [to] that host, whose [variant] rendered it. */
class Sent(val to: String, val bytes: Int, val variant: String) {
    override fun toString() = "$bytes bytes were sent to $to, whose variant '$variant' rendered them"
}

/** The PNG that a server made, and what left this device for it. */
class RemotePicture(val png: ByteArray, val sent: Sent)

/** How long a server may take and how much it may say. A picture that is larger than [mostBytes] is not sent. */
class RemoteLimits(
    val answerMs: Long = 30_000,
    val mostBytes: Int = 16 shl 20,
    val mostAnswerBytes: Int = 64 shl 20,
    val mostWaitSeconds: Long = 10,
)

/**
 * A server of `builder package --target server`, as the last resort of an app whose device runs no variant. It is off
 * unless the app gives an address, and nothing is sent before the user agreed. Pictures are in no log.
 *
 * Its functions block: call them off the main thread. They may be called from several threads.
 */
class RemoteModel private constructor(private val address: URI, private val limits: RemoteLimits, facts: JSONObject) {
    /** Name of the network that is served. */
    val modelName: String = facts.getString("name")

    /** Id of the variant that is served. */
    val variant: String = facts.getString("variant")

    /** Width of the pictures that the network takes, in pixels. */
    val width: Int = facts.getInt("width")

    /** Height of the pictures that the network takes, in pixels. */
    val height: Int = facts.getInt("height")

    /** Host and port of the server. */
    val host: String
        get() = address.authority

    private val sent = ArrayDeque<Sent>()

    /** The last hundred things that were sent, oldest first: what an app shows or reports. */
    val record: List<Sent>
        get() = synchronized(sent) { sent.toList() }

    /**
     * Sends a picture file (JPEG, PNG or WebP; best of [width] x [height] pixels, so that no more leaves the device
     * than is needed) with the [vectors] that the network takes. A busy server is asked once more, after the time that
     * it says. Throws [BundleError] with what the server says, or why it cannot be reached, and
     * IllegalArgumentException for a vector that is not finite.
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun process(
        picture: ByteArray,
        type: String = "image/png",
        vectors: Map<String, FloatArray> = emptyMap(),
    ): RemotePicture {
        if (picture.size > limits.mostBytes) {
            throw BundleError(
                "the picture has ${picture.size} bytes, at most ${limits.mostBytes} are sent; make it smaller."
            )
        }
        val query = if (vectors.isEmpty()) "" else "?vectors=" + URLEncoder.encode(json(vectors), "UTF-8")
        val png = ask(address, "v1/process$query", limits, picture, type)
        if (png.size < PNG.size || !PNG.indices.all { png[it] == PNG[it] }) {
            throw BundleError("$host answered with no PNG picture.")
        }
        val told = Sent(host, picture.size, variant)
        synchronized(sent) {
            sent.addLast(told)
            if (sent.size > MOST_KEPT) sent.removeFirst()
        }
        return RemotePicture(png, told)
    }

    private fun json(vectors: Map<String, FloatArray>): String {
        // Android's JSON has no word for them and says nothing at all.
        require(vectors.values.all { values -> values.all(Float::isFinite) }) {
            "the values of vectors are finite numbers"
        }
        return JSONObject(vectors.mapValues { (_, values) -> values.map { it.toDouble() } }).toString()
    }

    companion object {
        private const val MOST_KEPT = 100
        private val PNG = byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte())

        /**
         * Asks the user by [consent], then the server at [address] what it serves. [reason] says why no variant works
         * here, and [modelName] which network it must serve; `null` takes any.
         *
         * Throws [BundleError] for an address over which others could see the pictures, a user who does not agree, and
         * a server that cannot be reached or serves another network.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleError::class)
        fun open(
            address: String,
            reason: String,
            modelName: String?,
            limits: RemoteLimits = RemoteLimits(),
            consent: RemoteConsent,
        ): RemoteModel {
            val base = checkedAddress(address)
            if (!consent.agrees(RemoteQuestion(base.authority, reason))) {
                throw BundleError("$reason The server ${base.authority} is not used, since nobody agreed.")
            }
            val answer = ask(base, "v1/model", limits)
            val model =
                try {
                    RemoteModel(base, limits, JSONObject(answer.decodeToString()))
                } catch (error: JSONException) {
                    throw BundleError(
                        "${base.authority} is no server of 'builder package --target server' (${error.message}).",
                        error,
                    )
                }
            if (modelName != null && model.modelName != modelName) {
                throw BundleError("${base.authority} serves '${model.modelName}', not '$modelName'.")
            }
            return model
        }
    }
}

private const val TOO_MANY_REQUESTS = 429
private const val MOST_DETAIL = 300

/** The folder of the server's addresses. */
private fun checkedAddress(address: String): URI {
    val uri =
        try {
            URI(if (address.endsWith("/")) address else "$address/")
        } catch (error: URISyntaxException) {
            throw BundleError("'$address' is no address of a server, such as https://example.org/.", error)
        }
    val host = uri.host.orEmpty()
    val safe = uri.scheme == "https" || (uri.scheme == "http" && isLoopback(host))
    if (host.isEmpty() || !safe || uri.userInfo != null || uri.query != null || uri.fragment != null) {
        throw BundleError("'$address' is not taken as a server; use https, without a login or a query in the address.")
    }
    return uri
}

/** By its text: a name that resolves to this device today may resolve elsewhere tomorrow. */
private fun isLoopback(host: String) =
    host == "localhost" || host == "[::1]" || Regex("""127(\.\d{1,3}){3}""").matches(host)

/** The body of a good answer; a busy server is asked a second time. */
private fun ask(base: URI, path: String, limits: RemoteLimits, body: ByteArray? = null, type: String = ""): ByteArray {
    val first = answered(base, path, limits, body, type)
    if (first.status != TOO_MANY_REQUESTS || first.retryAfter !in 0..limits.mostWaitSeconds) return first.good(base)
    TimeUnit.SECONDS.sleep(first.retryAfter)
    return answered(base, path, limits, body, type).good(base)
}

private class Answer(val status: Int, val retryAfter: Long, val body: ByteArray) {
    fun good(base: URI): ByteArray {
        if (status == HttpURLConnection.HTTP_OK) return body
        val detail =
            try {
                JSONObject(body.decodeToString()).optString("detail")
            } catch (_: JSONException) {
                ""
            }
        val why = detail.take(MOST_DETAIL).ifEmpty { "it does not say why." }
        throw BundleError("${base.authority} answered $status: $why")
    }
}

private fun answered(base: URI, path: String, limits: RemoteLimits, body: ByteArray?, type: String): Answer {
    val end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limits.answerMs)
    val connection = base.resolve(path).toURL().openConnection() as HttpURLConnection
    try {
        connection.instanceFollowRedirects = false // to nobody else than the one that was agreed on
        connection.useCaches = false
        connection.connectTimeout = limits.answerMs.toInt()
        connection.readTimeout = limits.answerMs.toInt()
        if (body != null) {
            connection.requestMethod = "POST"
            connection.doOutput = true
            connection.setRequestProperty("Content-Type", type)
            connection.setFixedLengthStreamingMode(body.size)
            connection.outputStream.use { it.write(body) }
        }
        val status = connection.responseCode
        val retryAfter = connection.getHeaderField("Retry-After")?.toLongOrNull() ?: 1
        val stream = if (status < HttpURLConnection.HTTP_BAD_REQUEST) connection.inputStream else connection.errorStream
        return Answer(status, retryAfter, stream?.use { bounded(it, limits.mostAnswerBytes, end) } ?: ByteArray(0))
    } catch (error: SocketTimeoutException) {
        throw BundleError("${base.authority} did not answer within ${limits.answerMs} ms.", error)
    } catch (error: IOException) {
        throw BundleError("${base.authority} cannot be reached (${error.message}); check the connection.", error)
    } catch (error: SecurityException) {
        throw BundleError(
            "${base.authority} cannot be reached; add the permission android.permission.INTERNET to the app's manifest.",
            error,
        )
    } finally {
        connection.disconnect()
    }
}

/** All of a stream, within a size and until [end] of the clock: a server that sends a byte now and then ends too. */
private fun bounded(stream: InputStream, most: Int, end: Long): ByteArray {
    val all = ByteArrayOutputStream()
    val part = ByteArray(8192)
    while (true) {
        val count = stream.read(part)
        if (count < 0) return all.toByteArray()
        all.write(part, 0, count)
        if (all.size() > most) throw IOException("its answer has more than $most bytes")
        if (System.nanoTime() > end) throw SocketTimeoutException()
    }
}
