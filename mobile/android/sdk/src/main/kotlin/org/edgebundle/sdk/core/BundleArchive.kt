package org.edgebundle.sdk.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.security.MessageDigest
import java.util.zip.ZipEntry
import java.util.zip.ZipException
import java.util.zip.ZipFile

/**
 * Takes a bundle out of its `.zip` into a folder of [place] that is named by the hash of its manifest: whole or absent,
 * whatever interrupts it (docs/sdk-rules.md, "Bundles in a file"). A folder that is there is taken as it is: what opens
 * it checks its files. Throws [BundleError] for what is no whole archive of a bundle.
 */
internal class BundleArchive(private val place: File) {
    /** The folder of the bundle in [archive]. */
    fun unpacked(archive: File): File =
        try {
            ZipFile(archive).use { zip -> kept(zip, archive.name) }
        } catch (error: ZipException) {
            throw BundleError("${archive.name} is no whole archive (${error.message}); download it again.", error)
        } catch (error: IOException) {
            throw BundleError(
                "${archive.name} cannot be taken out (${error.message}); free space, or download it again.",
                error,
            )
        }

    private fun kept(zip: ZipFile, name: String): File {
        val entry =
            zip.getEntry(ModelLoader.MANIFEST)
                ?: throw BundleError("$name is no bundle: it has no ${ModelLoader.MANIFEST} at its top.")
        val text = zip.getInputStream(entry).use { it.readNBytesWithin(MOST_MANIFEST) }
        if (text == null) throw BundleError("$name has a manifest of more than $MOST_MANIFEST bytes.")
        val folder = File(place, sha256(text))
        if (folder.isDirectory) return folder
        val manifest = ManifestReader.read(text.decodeToString())
        checkEntries(zip, name, manifest.hashes.keys)
        if (!place.isDirectory && !place.mkdirs() && !place.isDirectory) throw IOException("$place cannot be made")
        val work = File.createTempFile("bundle", PART, place).apply { delete() }
        try {
            for ((path, sha256) in manifest.hashes) copy(zip, zip.getEntry(path), File(work, path), sha256, name)
            File(work, ModelLoader.MANIFEST).writeBytes(text)
            if (!work.renameTo(folder) && !folder.isDirectory) throw IOException("$work cannot be renamed")
        } finally {
            work.deleteRecursively() // nothing is there any more once it was renamed
        }
        return folder
    }

    /** All that the manifest names is there, and nothing else. Its own names were checked when it was read. */
    private fun checkEntries(zip: ZipFile, name: String, named: Set<String>) {
        for (path in named) ManifestReader.insidePath(path)
        val there = zip.entries().asSequence().filter { !it.isDirectory }.map { it.name }.toList()
        val missing = (named - there.toSet()).minOrNull()
        if (missing != null) throw BundleError("$name lacks $missing; download it again.")
        val stranger = there.firstOrNull { it !in named && it !in OWN }
        if (stranger != null || there.toSet().size != there.size)
            throw BundleError(
                "$name is refused: it holds ${stranger ?: "a file twice"}, which its manifest does not name."
            )
        val bytes = zip.entries().asSequence().sumOf { maxOf(0, it.size) }
        if (bytes > MOST_BYTES) throw BundleError("$name unpacks to more than ${MOST_BYTES shr 30} GB and is refused.")
    }

    private fun copy(zip: ZipFile, entry: ZipEntry, target: File, sha256: String, name: String) {
        val folder = checkNotNull(target.parentFile)
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("$folder cannot be made")
        val digest = MessageDigest.getInstance("SHA-256")
        val buffer = ByteArray(CHUNK)
        var left = entry.size // what it claims: a bomb gives more
        FileOutputStream(target).use { out ->
            zip.getInputStream(entry).use { stream ->
                while (true) {
                    val count = stream.read(buffer)
                    if (count < 0) break
                    left -= count
                    if (left < 0) throw BundleError("$name is refused: ${entry.name} is longer than it says.")
                    digest.update(buffer, 0, count)
                    out.write(buffer, 0, count)
                }
            }
            out.fd.sync()
        }
        if (hex(digest) != sha256)
            throw BundleError("${entry.name} of $name does not have the hash in its manifest; download it again.")
    }

    private companion object {
        const val PART = ".part"
        const val CHUNK = 1 shl 16
        const val MOST_MANIFEST = 64 shl 20
        const val MOST_BYTES = 8L shl 30

        /** Beside the manifest's files: itself, and the notes of the builder on a folder that it wrote. */
        val OWN = setOf(ModelLoader.MANIFEST, ".edgebundle.json")
    }
}

/** All bytes, `null` when there are more than [most]. */
private fun java.io.InputStream.readNBytesWithin(most: Int): ByteArray? {
    val all = java.io.ByteArrayOutputStream()
    val buffer = ByteArray(1 shl 14)
    while (true) {
        val count = read(buffer)
        if (count < 0) return all.toByteArray()
        if (all.size() + count > most) return null
        all.write(buffer, 0, count)
    }
}
