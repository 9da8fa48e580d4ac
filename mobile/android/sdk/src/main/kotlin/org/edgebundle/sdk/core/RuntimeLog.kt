package org.edgebundle.sdk.core

import java.io.IOException

/**
 * The log that a runtime writes while it loads a model: the one place where TensorFlow Lite says what its delegate
 * took.
 */
interface RuntimeLog {
    /** Writes a line of its own and returns it. */
    fun mark(): String

    /** The lines since that one. Throws IOException when the log cannot be read. */
    fun since(mark: String): List<String>
}

/** Where a runtime's log cannot be read, or is not worth reading. */
object NoRuntimeLog : RuntimeLog {
    override fun mark() = ""

    override fun since(mark: String): List<String> = throw IOException("it was not read")
}

/** Runs [load] and tells which delegate the runtime's log reports. */
internal fun <T> RuntimeLog.during(load: () -> T): Pair<T, TextReading> {
    val mark = mark()
    val loaded = load()
    return loaded to
        try {
            DelegateReport.read(since(mark))
        } catch (error: IOException) {
            TextReading.missing("the runtime's log cannot be read (${error.message})")
        }
}
