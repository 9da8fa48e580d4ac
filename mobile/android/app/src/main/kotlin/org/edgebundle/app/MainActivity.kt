package org.edgebundle.app

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import java.util.concurrent.Executors
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.core.BundleException

/** The one screen: the bundle's picture before and after; or, when started with the extras of [BenchmarkRequest], a benchmark. */
class MainActivity : Activity() {
    internal val worker = Executors.newSingleThreadExecutor()
    private lateinit var status: TextView
    private lateinit var compare: CompareView
    private lateinit var again: Button
    private lateinit var benchmark: Button

    @Volatile
    private var closed = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        // A screen that goes off stops the measurement.
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        status = findViewById(R.id.status)
        compare = findViewById(R.id.compare)
        again = findViewById(R.id.again)
        benchmark = findViewById(R.id.benchmark)
        again.setOnClickListener { demo() }
        benchmark.setOnClickListener { measure(BenchmarkRequest(null, StyleModel.defaultThreads(), 3, 30, "runs.jsonl", Build.DEVICE, "quick")) }
        start(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        start(intent)
    }

    override fun onDestroy() {
        closed = true
        worker.shutdown()
        super.onDestroy()
    }

    private fun start(intent: Intent) {
        val request = try {
            BenchmarkRequest.from(intent, StyleModel.defaultThreads(), Build.DEVICE)
        } catch (error: IllegalArgumentException) {
            BenchmarkRunner.say("error" to error.message)
            status.text = error.message
            return
        }
        if (request == null) demo() else measure(request)
    }

    private fun demo() = work(R.string.working) {
        val demo = Demo.run(this)
        val lines = listOf(getString(R.string.latency, demo.variant, demo.milliseconds)) + demo.labels + demo.messages
        showing(lines) { compare.show(demo.before, demo.after) }
    }

    private fun measure(request: BenchmarkRequest) = work(R.string.measuring) {
        val outcomes = BenchmarkRunner(this).run(request) { closed }
        showing(outcomes.map { getString(R.string.outcome, it.variant, it.medianMs, it.verdict) }) {}
    }

    private fun showing(lines: List<String>, update: () -> Unit): () -> Unit = {
        status.text = lines.joinToString("\n")
        update()
    }

    /** Runs [job] on the worker and what it returns on the main thread; a bundle that cannot be used is shown in words. */
    private fun work(title: Int, job: () -> (() -> Unit)) {
        status.setText(title)
        setBusy(true)
        worker.execute {
            val update = try {
                job()
            } catch (error: BundleException) {
                showing(listOf(error.message.orEmpty())) {}
            } catch (_: InterruptedException) {
                return@execute // the screen was closed in the middle
            }
            runOnUiThread {
                update()
                setBusy(false)
            }
        }
    }

    private fun setBusy(busy: Boolean) = listOf<View>(again, benchmark).forEach { it.isEnabled = !busy }
}
