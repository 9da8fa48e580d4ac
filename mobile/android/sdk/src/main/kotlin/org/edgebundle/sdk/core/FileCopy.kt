package org.edgebundle.sdk.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * The copy of [source] in [folder], named by its hash: whole or absent, whatever interrupts it and however many copy at
 * once (docs/sdk-rules.md, "Copied files"). A file that is there already is used only when its content has the hash.
 * Copies of other hashes, of an earlier version of the app, are removed. Throws [IOException] when there is no space,
 * or when the copy does not have the hash.
 */
fun copyOnce(source: ByteBuffer, folder: File, sha256: String): File {
    val target = File(folder, sha256)
    if (target.isFile && hashOf(target) == sha256) return target
    if (!folder.isDirectory && !folder.mkdirs() && !folder.isDirectory) throw IOException("$folder cannot be made")
    removeOthers(folder, sha256)
    val work = File.createTempFile("copy", PART, folder)
    try {
        FileOutputStream(work).use { write(source, it) }
        if (hashOf(work) != sha256)
            throw IOException("what was written to $folder is not what was read; the storage may be failing")
        if (!work.renameTo(target)) throw IOException("$work cannot be renamed")
    } finally {
        work.delete() // nothing is there any more once it was renamed
    }
    return target
}

private const val PART = ".part"

/** After this long nobody is writing an unfinished copy any more. */
private const val STALE_MS = 3_600_000L

private fun write(source: ByteBuffer, out: FileOutputStream) {
    val rest = source.duplicate().apply { clear() }
    while (rest.hasRemaining()) out.channel.write(rest) // one call may write a part
    out.fd.sync()
}

private fun hashOf(file: File): String =
    RandomAccessFile(file, "r").use { sha256(it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length())) }

private fun removeOthers(folder: File, sha256: String) {
    val now = System.currentTimeMillis()
    for (file in folder.listFiles().orEmpty()) {
        val unfinished = file.name.endsWith(PART)
        if (file.name != sha256 && (!unfinished || now - file.lastModified() > STALE_MS)) file.delete()
    }
}
