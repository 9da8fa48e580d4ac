package org.edgebundle.sdk

import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import org.edgebundle.sdk.core.Probes
import org.edgebundle.sdk.core.Reading
import org.edgebundle.sdk.core.Sample

/** Reads the state of the phone about once a second beside a measurement, on a thread of its own. */
class ConditionSampler(private val device: DeviceState) {
    /**
     * [work] and what was read meanwhile, at least once at its end. What cannot be read has no sample: the record's
     * conditions say why.
     */
    fun <T> during(work: () -> T): Pair<T, List<Sample>> {
        val samples = ArrayList<Sample>()
        val start = System.nanoTime()
        val timer =
            Executors.newSingleThreadScheduledExecutor {
                Thread(it, "edgebundle-sampler").apply { priority = Thread.MIN_PRIORITY }
            }
        fun sample() = synchronized(samples) { read((System.nanoTime() - start) / 1e9, samples) }
        try {
            timer.scheduleWithFixedDelay(::sample, 0, PAUSE_MS, TimeUnit.MILLISECONDS)
            val result = work()
            timer.shutdown()
            sample()
            return result to synchronized(samples) { samples.toList() }
        } finally {
            timer.shutdownNow()
        }
    }

    private fun read(seconds: Double, samples: MutableList<Sample>) {
        fun add(probe: String, reading: Reading) {
            reading.value?.let { samples += Sample(seconds, probe, it, reading.unit) }
        }
        val now = device.conditions()
        add(Probes.TEMPERATURE, now.temperatureC)
        add(Probes.THERMAL_STATUS, now.thermalStatus)
        add(Probes.THERMAL_HEADROOM, device.headroom())
        add(Probes.BATTERY, now.batteryPercent)
        val clocks = now.clocksMhz.mapNotNull { it.value }
        if (clocks.isNotEmpty()) add(Probes.CLOCK, Reading.of(clocks.average(), "MHz"))
        add(Probes.MEMORY, device.pss())
    }

    private companion object {
        const val PAUSE_MS = 1_200L
    }
}
