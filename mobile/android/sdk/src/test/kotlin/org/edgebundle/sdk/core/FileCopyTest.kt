package org.edgebundle.sdk.core

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.util.concurrent.Callable
import java.util.concurrent.CyclicBarrier
import java.util.concurrent.Executors
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/**
 * A file that a runtime wants by path is whole or absent. A full disk is tried by `pytest tests/android` with a limit
 * of the system.
 */
class FileCopyTest {
    @get:Rule val temporary = TemporaryFolder()
    private val folder by lazy { File(temporary.root, "copies") }
    private val content = ByteArray(200_000) { (it * 31).toByte() }

    private fun copy(bytes: ByteArray = content, sha256: String = sha256(content)) =
        copyOnce(ByteBuffer.wrap(bytes), folder, sha256)

    @Test
    fun aFileIsCopiedOnceAndOlderOnesGo() {
        val first = copy()
        assertArrayEquals(content, first.readBytes())
        first.setLastModified(1_000_000)
        File(folder, "bb.part").apply { writeText("left over") }.setLastModified(1_000_000)
        assertEquals("made once", 1_000_000, copy().lastModified())
        val other = byteArrayOf(4)
        copy(other, sha256(other))
        assertEquals(listOf(sha256(other)), folder.list().orEmpty().toList())
    }

    @Test
    fun aFileOfTheRightLengthWithOtherBytesIsReplaced() {
        folder.mkdirs()
        File(folder, sha256(content)).writeBytes(ByteArray(content.size))
        assertArrayEquals(content, copy().readBytes())
    }

    @Test
    fun whatDoesNotHaveTheHashIsNotHandedOut() {
        assertThrows(IOException::class.java) { copy(ByteArray(content.size)) }
        assertEquals(emptyList<String>(), folder.list().orEmpty().toList())
    }

    @Test
    fun manyAtOnceAllGetTheWholeFile() {
        val threads = Executors.newFixedThreadPool(8)
        try {
            repeat(20) {
                folder.deleteRecursively()
                val together = CyclicBarrier(8)
                val all =
                    (0 until 8).map {
                        threads.submit(
                            Callable {
                                together.await()
                                copy().readBytes()
                            }
                        )
                    }
                for (one in all) assertArrayEquals(content, one.get())
                assertEquals(listOf(sha256(content)), folder.list().orEmpty().toList())
            }
        } finally {
            threads.shutdownNow()
        }
    }

    @Test
    fun aFolderThatCannotBeMadeIsSaid() {
        folder.writeText("a file stands there")
        assertTrue(assertThrows(IOException::class.java) { copy() }.message.orEmpty().contains("cannot be made"))
        assertFalse(folder.isDirectory)
    }
}
