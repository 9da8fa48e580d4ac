package org.edgebundle.sdk.core

import java.io.ByteArrayOutputStream
import java.io.IOException

/**
 * What a program prints until it ends its output, at most for [limitMs] milliseconds and up to [mostBytes] bytes.
 * Throws [IOException] beyond either limit; the program is the caller's to end.
 */
internal fun Process.linesWithin(limitMs: Long, mostBytes: Int): List<String> {
    val all = ByteArrayOutputStream()
    var problem: IOException? = null
    val reader =
        Thread(
                {
                    try {
                        val part = ByteArray(8192)
                        while (true) {
                            val count = inputStream.read(part)
                            if (count < 0) break
                            all.write(part, 0, count)
                            if (all.size() > mostBytes) throw IOException("it is longer than $mostBytes bytes")
                        }
                    } catch (error: IOException) {
                        problem = error
                    }
                },
                "edgebundle-log",
            )
            .apply { isDaemon = true }
    reader.start()
    reader.join(limitMs)
    if (reader.isAlive) throw IOException("it was not read within $limitMs ms")
    problem?.let { throw it }
    return all.toString(Charsets.UTF_8.name()).lines()
}
