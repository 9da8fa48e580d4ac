package org.edgebundle.sdk

import android.os.Process
import android.util.Log
import java.io.IOException
import java.util.UUID
import java.util.concurrent.TimeUnit
import org.edgebundle.sdk.core.RuntimeLog
import org.edgebundle.sdk.core.linesWithin

/**
 * What TensorFlow Lite wrote to this app's own log; an app may read its own lines without a permission. Starts `logcat`
 * once a call, reads its last [LINES] lines and ends it after [LIMIT_MS].
 */
object Logcat : RuntimeLog {
    private const val TAG = "tflite"
    private const val LINES = 500
    private const val LIMIT_MS = 2_000L
    private const val MOST_BYTES = 256 * 1024

    override fun mark(): String = "edgebundle ${UUID.randomUUID()}".also { Log.i(TAG, it) }

    override fun since(mark: String): List<String> {
        val logcat =
            ProcessBuilder(
                    "logcat",
                    "-d",
                    "-t",
                    LINES.toString(),
                    "-v",
                    "raw",
                    "--pid=${Process.myPid()}",
                    "-s",
                    "$TAG:V",
                )
                .redirectErrorStream(true)
                .start()
        val lines =
            try {
                logcat.linesWithin(LIMIT_MS, MOST_BYTES)
            } finally {
                logcat.destroy()
                logcat.waitFor(LIMIT_MS, TimeUnit.MILLISECONDS)
            }
        val at = lines.lastIndexOf(mark)
        if (at < 0) throw IOException("it does not hold what was just written")
        return lines.drop(at)
    }
}
