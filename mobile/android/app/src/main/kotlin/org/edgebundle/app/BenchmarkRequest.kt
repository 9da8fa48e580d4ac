package org.edgebundle.app

import android.content.Intent
import org.edgebundle.sdk.core.Benchmark

/**
 * What a benchmark is asked for by intent extras. Integers as `--ei NAME N`, texts as `--es NAME TEXT`, `seconds` as
 * `--ef seconds F` or `--ei seconds N`:
 *
 *     am start -n APPLICATION_ID/org.edgebundle.app.MainActivity --es variant ID --ei threads 2 --es protocol standard
 *         --ei warmup 5 --ei runs 50 --ef seconds 10 --es output runs.jsonl --es device SERIAL
 *
 * `runs`, `seconds` or `protocol` make it a request. Measuring goes on until both `runs` and `seconds` are reached.
 */
class BenchmarkRequest(
    val variant: String?,
    val threads: Int,
    val warmup: Int,
    val runs: Int,
    val seconds: Double,
    val output: String,
    val device: String,
    val protocol: String,
) {
    companion object {
        private const val MOST_SECONDS = 24 * 3600.0
        private val TRIGGERS = listOf("runs", "seconds", "protocol")

        /** Warm-up and runs of the harness's protocols, for requests that name one and no numbers. */
        private val PROTOCOLS = mapOf("quick" to (5 to 30), "standard" to (20 to 200))
        private val OTHERWISE = 3 to 1

        /** Whether the app was started to measure rather than to be used. */
        fun isIn(intent: Intent) = TRIGGERS.any(intent::hasExtra)

        /** What the button of the benchmark screen asks for. */
        fun ofScreen(threads: Int, device: String) =
            BenchmarkRequest(null, threads, 5, 30, 0.0, "runs.jsonl", device, "quick")

        /** The request in an intent. Throws IllegalArgumentException for a bad value. */
        fun from(intent: Intent, defaultThreads: Int, defaultDevice: String): BenchmarkRequest {
            val protocol = intent.getStringExtra("protocol") ?: "custom"
            val (warmup, runs) = PROTOCOLS[protocol] ?: OTHERWISE
            val request =
                BenchmarkRequest(
                    variant = intent.getStringExtra("variant"),
                    threads = intent.getIntExtra("threads", defaultThreads),
                    warmup = intent.getIntExtra("warmup", warmup),
                    runs = intent.getIntExtra("runs", runs),
                    seconds = seconds(intent),
                    output = intent.getStringExtra("output") ?: "runs.jsonl",
                    device = intent.getStringExtra("device") ?: defaultDevice,
                    protocol = protocol,
                )
            require(request.threads in 1..64) { "'threads' must be 1 to 64, not ${request.threads}" }
            require(request.warmup in 0..Benchmark.MOST) {
                "'warmup' must be 0 to ${Benchmark.MOST}, not ${request.warmup}"
            }
            require(request.runs in 1..Benchmark.MOST) { "'runs' must be 1 to ${Benchmark.MOST}, not ${request.runs}" }
            require(request.seconds in 0.0..MOST_SECONDS) {
                "'seconds' must be 0 to ${MOST_SECONDS.toInt()}, not ${request.seconds}"
            }
            require(request.output.matches(Regex("[A-Za-z0-9._-]+")) && !request.output.startsWith(".")) {
                "'output' must be a file name, not '${request.output}'"
            }
            return request
        }

        private fun seconds(intent: Intent): Double =
            when {
                !intent.hasExtra("seconds") -> 0.0
                intent.getFloatExtra("seconds", Float.NaN).isNaN() -> intent.getIntExtra("seconds", -1).toDouble()
                else -> intent.getFloatExtra("seconds", 0f).toDouble()
            }
    }
}
