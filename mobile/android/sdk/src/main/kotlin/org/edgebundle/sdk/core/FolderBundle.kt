package org.edgebundle.sdk.core

import java.io.File
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * A bundle in a folder of the file system, as `builder convert` writes it. Its files must not change while a model of
 * it is open.
 */
class FolderBundle(private val root: File) : BundleFiles {
    override fun open(path: String): InputStream = File(root, path).inputStream()

    override fun map(path: String): ByteBuffer =
        RandomAccessFile(File(root, path), "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()) }

    /** The file itself: its hash was checked when it was mapped. */
    override fun file(path: String, sha256: String) = File(root, path)
}
