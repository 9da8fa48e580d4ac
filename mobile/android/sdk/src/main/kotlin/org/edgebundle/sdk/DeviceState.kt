package org.edgebundle.sdk

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import java.io.File
import java.io.IOException
import org.edgebundle.sdk.core.Conditions
import org.edgebundle.sdk.core.DeviceInfo
import org.edgebundle.sdk.core.Reading
import org.edgebundle.sdk.core.TextReading

/** Reads what a run record says of the phone; what cannot be read is named with its reason. */
class DeviceState(private val context: Context) {
    /** [id] is what the harness calls this device, its serial, which an app cannot read. */
    fun info(id: String) = DeviceInfo(
        kind = "android",
        id = id,
        model = TextReading.of("${Build.MANUFACTURER} ${Build.MODEL}"),
        soc = if (Build.VERSION.SDK_INT >= 31) TextReading.of("${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}") else TextReading.missing("Android before 12 does not name it"),
        os = TextReading.of("Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})"),
        build = TextReading.of(Build.FINGERPRINT),
        abi = Build.SUPPORTED_ABIS.firstOrNull()?.let(TextReading::of) ?: TextReading.missing("the system names no ABI"),
    )

    fun conditions(): Conditions {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        return Conditions(
            temperatureC = battery.number(BatteryManager.EXTRA_TEMPERATURE, "celsius") { it / 10.0 },
            thermalStatus = thermalStatus(),
            batteryPercent = battery.number(BatteryManager.EXTRA_LEVEL, "percent") { 100.0 * it / battery!!.getIntExtra(BatteryManager.EXTRA_SCALE, 100) },
            charging = battery?.let { TextReading.of(plug(it.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0))) } ?: TextReading.missing(NO_BATTERY),
            clocksMhz = List(Runtime.getRuntime().availableProcessors(), ::clock),
        )
    }

    /** The largest resident size of this process so far. */
    fun peakMemory(): Reading {
        val line = File("/proc/self/status").readLines().firstOrNull { it.startsWith("VmHWM:") } ?: return Reading.missing("bytes", "/proc/self/status has no VmHWM")
        return Reading.of(line.filter(Char::isDigit).toLong() * 1024, "bytes")
    }

    private fun thermalStatus(): Reading {
        if (Build.VERSION.SDK_INT < 29) return Reading.missing("status", "Android before 10 does not tell")
        val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
        return Reading.of(power.currentThermalStatus, "status")
    }

    private fun clock(cpu: Int): Reading = try {
        Reading.of(File("/sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_cur_freq").readText().trim().toLong() / 1000.0, "MHz")
    } catch (error: IOException) {
        Reading.missing("MHz", "the clock of cpu$cpu cannot be read (${error.message})")
    } catch (error: NumberFormatException) {
        Reading.missing("MHz", "the clock of cpu$cpu is not a number (${error.message})")
    }

    private fun Intent?.number(extra: String, unit: String, scale: (Int) -> Double): Reading {
        val value = this?.getIntExtra(extra, Int.MIN_VALUE) ?: Int.MIN_VALUE
        return if (value == Int.MIN_VALUE) Reading.missing(unit, NO_BATTERY) else Reading.of(scale(value), unit)
    }

    private fun plug(plugged: Int) = when (plugged) {
        0 -> "no"
        BatteryManager.BATTERY_PLUGGED_USB -> "usb"
        BatteryManager.BATTERY_PLUGGED_AC -> "ac"
        BatteryManager.BATTERY_PLUGGED_WIRELESS -> "wireless"
        else -> "plugged ($plugged)"
    }

    private companion object {
        const val NO_BATTERY = "the system reports no battery state"
    }
}
