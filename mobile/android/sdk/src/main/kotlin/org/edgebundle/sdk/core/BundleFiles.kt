package org.edgebundle.sdk.core

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/** Where a bundle's files are: an app's assets, or a directory in tests. Paths are those of the manifest. */
interface BundleFiles {
    /** Opens a file. Throws `java.io.IOException` when it is absent. */
    fun open(path: String): InputStream

    /** Maps a file into memory without copying it. Throws `java.io.IOException` when it is absent or compressed. */
    fun map(path: String): ByteBuffer

    /** The file as one of its own in the file system, copied once for each [sha256]. Throws `java.io.IOException`. */
    fun file(path: String, sha256: String): File
}

/** All bytes of a small file. Throws [BundleError] when it cannot be read. */
internal fun BundleFiles.bytes(path: String): ByteArray =
    try {
        open(path).use { it.readBytes() }
    } catch (error: IOException) {
        throw BundleError(
            "the app's bundle has no readable $path (${error.message}); make the app with 'builder package'.",
            error,
        )
    }

/** Decodes a PNG or JPEG to pixels. Throws [BundleError] for what is no picture. */
fun interface PictureReader {
    fun read(stream: InputStream): Pixels
}

/** Lower-case hexadecimal sha256 of a buffer from its start to its limit; its position is not moved. */
fun sha256(buffer: ByteBuffer): String {
    val all = buffer.duplicate()
    all.clear()
    return hex(MessageDigest.getInstance("SHA-256").apply { update(all) })
}

/** Lower-case hexadecimal sha256 of all bytes. */
fun sha256(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").apply { update(bytes) })

/** Little-endian float32 values of a file. */
fun floats(bytes: ByteArray): FloatArray =
    FloatArray(bytes.size / 4).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }

private fun hex(digest: MessageDigest): String =
    digest.digest().joinToString("") { byte -> HEX[byte.toInt() shr 4 and 15].toString() + HEX[byte.toInt() and 15] }

private const val HEX = "0123456789abcdef"
