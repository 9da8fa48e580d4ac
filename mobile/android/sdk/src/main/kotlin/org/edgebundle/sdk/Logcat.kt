package org.edgebundle.sdk

import android.os.Process
import android.util.Log
import java.io.IOException
import java.util.UUID
import java.util.concurrent.TimeUnit
import org.edgebundle.sdk.core.RuntimeLog

/** What TensorFlow Lite wrote to this app's own log; an app may read its own lines without a permission. */
object Logcat : RuntimeLog {
    private const val TAG = "tflite"
    private const val LIMIT_S = 5L

    override fun mark(): String = "edgebundle ${UUID.randomUUID()}".also { Log.i(TAG, it) }

    override fun since(mark: String): List<String> {
        val logcat = ProcessBuilder("logcat", "-d", "-v", "raw", "--pid=${Process.myPid()}", "-s", "$TAG:V").redirectErrorStream(true).start()
        val lines = logcat.inputStream.bufferedReader().use { it.readLines() }
        if (!logcat.waitFor(LIMIT_S, TimeUnit.SECONDS)) logcat.destroy()
        val at = lines.lastIndexOf(mark)
        if (at < 0) throw IOException("it does not hold what was just written")
        return lines.drop(at)
    }
}
