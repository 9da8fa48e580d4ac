package org.edgebundle.sdk.core

import java.io.File
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import javax.imageio.ImageIO

/** A folder that the test run prepares: `bundle/`, `vectors/`, and `out/` for what the tests hand back. */
internal val TEST_DATA =
    File(System.getProperty("edgebundle.testdata") ?: error("start these tests by 'pytest tests/android'"))

/** A bundle in a directory, for the desktop. `change` may give other bytes for a file. */
internal class DirectoryBundle(
    private val root: File,
    private val change: (String, ByteArray) -> ByteArray = { _, bytes -> bytes },
) : BundleFiles {
    override fun open(path: String): InputStream = change(path, File(root, path).readBytes()).inputStream()

    override fun map(path: String): ByteBuffer =
        RandomAccessFile(File(root, path), "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()) }

    override fun file(path: String, sha256: String) = File(root, path)
}

internal val IMAGE_IO = PictureReader { stream ->
    val image = ImageIO.read(stream) ?: throw BundleError("not a picture")
    Pixels(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
}
