package org.edgebundle.sdk.core

import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.io.path.createTempDirectory
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** A bundle's `.zip`, as it is and damaged in every way: taken out whole, or refused with nothing left. */
class BundleArchiveTest {
    private val work = createTempDirectory("archive").toFile()
    private val place = File(work, "place")
    private val bundle = File(TEST_DATA, "bundle")
    private val files =
        bundle.walk().filter { it.isFile }.associate { it.relativeTo(bundle).invariantSeparatorsPath to it.readBytes() }

    private fun zip(entries: Map<String, ByteArray>, name: String = "bundle.zip"): File =
        File(work, name).also { target ->
            ZipOutputStream(target.outputStream()).use { zip ->
                for ((path, content) in entries) {
                    zip.putNextEntry(ZipEntry(path))
                    zip.write(content)
                }
            }
        }

    private fun refusal(archive: File): String {
        val message = assertThrows(BundleError::class.java) { BundleArchive(place).unpacked(archive) }.message
        assertEquals("$message", emptyList<String>(), place.list().orEmpty().toList())
        return message.orEmpty()
    }

    @Test
    fun aWholeArchiveIsTakenOutOnce() {
        val archive = zip(files)
        val folder = BundleArchive(place).unpacked(archive)
        assertEquals(sha256(files.getValue("manifest.json")), folder.name)
        for ((path, content) in files) if (path != ".edgebundle.json")
            assertTrue(path, File(folder, path).readBytes().contentEquals(content))
        val before = File(folder, "manifest.json").lastModified()
        assertEquals(folder, BundleArchive(place).unpacked(archive))
        assertEquals(before, File(folder, "manifest.json").lastModified())
    }

    @Test
    fun severalAtOnceGiveOneWholeFolder() {
        val archive = zip(files)
        val threads = Executors.newFixedThreadPool(4)
        val all = threads.invokeAll(List(4) { Callable { BundleArchive(place).unpacked(archive) } }).map { it.get() }
        threads.shutdown()
        assertEquals(1, all.toSet().size)
        assertEquals(listOf(all[0].name), place.list().orEmpty().toList())
    }

    @Test
    fun whatIsNoWholeBundleIsRefusedAndNothingIsLeft() {
        val whole = zip(files).readBytes()
        val variant = files.keys.first { it.startsWith("variants/") }
        val turned = files.getValue(variant).copyOf().also { it[100] = (it[100] + 1).toByte() }
        val half = File(work, "half.zip").apply { writeBytes(whole.copyOf(whole.size / 2)) }
        val text = File(work, "text.zip").apply { writeText("no archive") }
        assertTrue("no whole archive" in refusal(half))
        assertTrue("no whole archive" in refusal(text))
        assertTrue("cannot be taken out" in refusal(File(work, "absent.zip")))
        assertTrue("no manifest.json" in refusal(zip(mapOf("a" to ByteArray(3)))))
        assertTrue("lacks $variant" in refusal(zip(files - variant)))
        assertTrue("does not have the hash" in refusal(zip(files + (variant to turned))))
        assertTrue("../evil" in refusal(zip(files + ("../evil" to ByteArray(3)))))
        assertTrue("/evil" in refusal(zip(files + ("/evil" to ByteArray(3)))))
        assertTrue("not a path inside" in refusal(zip(files + ("manifest.json" to evilManifest()))))
        assertEquals(emptyList<String>(), work.parentFile?.list().orEmpty().filter { it == "evil" })
    }

    /** A manifest that names a file outside of the bundle. */
    private fun evilManifest(): ByteArray {
        val text = files.getValue("manifest.json").decodeToString()
        val variant = files.keys.first { it.startsWith("variants/") }
        return text.replace("\"$variant\"", "\"../evil\"").encodeToByteArray()
    }
}
