package org.edgebundle.app

import android.content.Intent

/**
 * What a benchmark is asked for by intent extras. One of the integers as `--ei NAME N`, a text as `--es NAME TEXT`:
 *
 *     am start -n APPLICATION_ID/org.edgebundle.app.MainActivity --es variant ID --ei threads 2 --ei warmup 5 --ei runs 50
 *         --es output runs.jsonl --es device SERIAL --es protocol standard
 */
class BenchmarkRequest(
    val variant: String?,
    val threads: Int,
    val warmup: Int,
    val runs: Int,
    val output: String,
    val device: String,
    val protocol: String,
) {
    companion object {
        /** The request in an intent, or null when the app was started to be used. Throws IllegalArgumentException for a bad value. */
        fun from(intent: Intent, defaultThreads: Int, defaultDevice: String): BenchmarkRequest? {
            if (!intent.hasExtra("runs")) return null
            val request = BenchmarkRequest(
                variant = intent.getStringExtra("variant"),
                threads = intent.getIntExtra("threads", defaultThreads),
                warmup = intent.getIntExtra("warmup", 3),
                runs = intent.getIntExtra("runs", 0),
                output = intent.getStringExtra("output") ?: "runs.jsonl",
                device = intent.getStringExtra("device") ?: defaultDevice,
                protocol = intent.getStringExtra("protocol") ?: "custom",
            )
            require(request.threads in 1..64) { "'threads' must be 1 to 64, not ${request.threads}" }
            require(request.warmup in 0..100_000) { "'warmup' must be 0 to 100000, not ${request.warmup}" }
            require(request.runs in 1..100_000) { "'runs' must be 1 to 100000, not ${request.runs}" }
            require(request.output.matches(Regex("[A-Za-z0-9._-]+")) && !request.output.startsWith(".")) { "'output' must be a file name, not '${request.output}'" }
            return request
        }
    }
}
