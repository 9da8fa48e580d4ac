package org.edgebundle.sdk

import android.content.Context
import android.os.Build
import android.os.PowerManager
import android.os.SystemClock

/**
 * How close the phone is to throttling. Asked at most once a second: Android answers NaN to those who ask more often.
 */
internal class ThermalState(context: Context, private val clock: () -> Long = SystemClock::elapsedRealtime) {
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
    private var askedAt = Long.MIN_VALUE / 2
    private var last = Float.NaN

    /**
     * Headroom now; 1.0 is severe throttling, NaN where the phone does not tell. Before Android 11 only the status is
     * known.
     */
    fun headroomNow(): Float {
        val now = clock()
        if (now - askedAt >= PAUSE_MS) {
            askedAt = now
            last = read()
        }
        return last
    }

    private fun read(): Float =
        when {
            Build.VERSION.SDK_INT >= 30 -> power.getThermalHeadroom(0)
            Build.VERSION.SDK_INT >= 29 ->
                if (power.currentThermalStatus >= PowerManager.THERMAL_STATUS_SEVERE) 1f else Float.NaN
            else -> Float.NaN
        }

    private companion object {
        const val PAUSE_MS = 1_200L
    }
}
