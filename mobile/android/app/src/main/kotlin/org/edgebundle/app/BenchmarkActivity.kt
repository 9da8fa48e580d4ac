package org.edgebundle.app

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import java.util.concurrent.Executors
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.BundleError

/** The benchmark screen: measures on a press, or at once when started with the extras of [BenchmarkRequest]. */
class BenchmarkActivity : Activity() {
    internal val worker = Executors.newSingleThreadExecutor()
    private lateinit var results: TextView
    private lateinit var start: Button

    @Volatile private var closed = false

    /** Counts how often the screen was left: a measurement during which it changes was not made in the foreground. */
    @Volatile private var hidden = 0

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.benchmark)
        // A screen that goes off stops the measurement.
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        actionBar?.setDisplayHomeAsUpEnabled(true)
        results = findViewById(R.id.results)
        start = findViewById(R.id.start)
        start.setOnClickListener { measure(BenchmarkRequest.ofScreen(ImageModel.defaultThreads(), Build.DEVICE)) }
        onRequest(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        onRequest(intent)
    }

    override fun onStop() {
        hidden++
        super.onStop()
    }

    override fun onDestroy() {
        closed = true
        worker.shutdown()
        super.onDestroy()
    }

    private fun onRequest(intent: Intent) {
        if (!BenchmarkRequest.isIn(intent)) return
        val request =
            try {
                BenchmarkRequest.from(intent, ImageModel.defaultThreads(), Build.DEVICE)
            } catch (error: IllegalArgumentException) {
                BenchmarkRunner.say("error" to error.message)
                results.text = error.message
                return
            }
        measure(request)
    }

    private fun measure(request: BenchmarkRequest) {
        start.isEnabled = false
        results.setText(R.string.measuring)
        worker.execute {
            val lines = ArrayList<String>()
            try {
                val before = hidden
                BenchmarkRunner(this).run(request, cancelled = { closed }, hidden = { hidden != before }) { outcome ->
                    lines +=
                        getString(
                            R.string.outcome,
                            outcome.variant,
                            outcome.medianMs,
                            outcome.p90Ms,
                            outcome.delegate,
                            outcome.verdict,
                        )
                    tell(lines)
                }
            } catch (error: BundleError) {
                tell(lines + error.message.orEmpty())
            } catch (_: InterruptedException) {
                return@execute // the screen was closed in the middle
            }
            runOnUiThread { start.isEnabled = true }
        }
    }

    private fun tell(lines: List<String>) {
        val text = lines.joinToString("\n\n")
        runOnUiThread { results.text = text }
    }
}
