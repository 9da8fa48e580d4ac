package org.edgebundle.sdk

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.Debug
import android.os.PowerManager
import java.io.File
import java.io.IOException
import org.edgebundle.sdk.core.Conditions
import org.edgebundle.sdk.core.DeviceInfo
import org.edgebundle.sdk.core.Phone
import org.edgebundle.sdk.core.Reading
import org.edgebundle.sdk.core.TextReading

/** Reads what a run record says of the phone; what cannot be read is named with its reason. */
class DeviceState(private val context: Context) {
    private val thermal = ThermalState(context)

    /** [id] is what the harness calls this device, its serial, which an app cannot read. */
    fun info(id: String) = info(id, phone())

    private fun info(id: String, phone: Phone) =
        DeviceInfo(
            kind = "android",
            id = id,
            model = text(phone.model, "the system names no model"),
            soc =
                text(
                    phone.soc,
                    if (Build.VERSION.SDK_INT >= 31) "the system does not name it"
                    else "Android before 12 does not name it",
                ),
            board = text(phone.board, "the system names no board"),
            hardware = text(phone.hardware, "the system names no hardware"),
            os = TextReading.of("Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})"),
            build = TextReading.of(Build.FINGERPRINT),
            abi =
                Build.SUPPORTED_ABIS.firstOrNull()?.let(TextReading::of)
                    ?: TextReading.missing("the system names no ABI"),
        )

    /** The state of the phone now, in the units that the harness uses over adb. */
    fun conditions(): Conditions {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        return Conditions(
            temperatureC = temperature(battery),
            thermalStatus = thermalStatus(),
            batteryPercent = level(battery),
            charging = battery?.let { TextReading.of(charging(it)) } ?: TextReading.missing(NO_BATTERY),
            clocksMhz = List(Runtime.getRuntime().availableProcessors(), ::clock),
        )
    }

    /** The largest resident size of this process so far. */
    fun peakMemory(): Reading {
        val line =
            File("/proc/self/status").readLines().firstOrNull { it.startsWith("VmHWM:") }
                ?: return Reading.missing("B", "/proc/self/status has no VmHWM")
        return Reading.of(line.filter(Char::isDigit).toLong() * 1024, "B")
    }

    /** Proportional set size of this process: what it takes of the phone's memory now. */
    fun pss(): Reading =
        when (val kilobytes = Debug.getPss()) {
            0L -> Reading.missing("B", "the system does not tell this process's size")
            else -> Reading.of(kilobytes * 1024, "B")
        }

    /** Thermal headroom: 1.0 is where the phone throttles severely. */
    fun headroom(): Reading =
        thermal.headroomNow().let { value ->
            if (value.isNaN()) Reading.missing("headroom", "this phone does not tell its thermal headroom")
            else Reading.of(value, "headroom")
        }

    /** Memory and battery temperature as a screen shows them, `-` where they cannot be read. */
    fun memoryMb(): String = pss().value?.let { "${(it / (1 shl 20)).toInt()} MB" } ?: "-"

    fun temperature(): String = conditions().temperatureC.value?.let { "$it °C" } ?: "-"

    private fun thermalStatus(): Reading {
        if (Build.VERSION.SDK_INT < 29) return Reading.missing("status", "Android before 10 does not tell")
        val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
        return Reading.of(power.currentThermalStatus, "status")
    }

    private fun clock(cpu: Int): Reading =
        try {
            Reading.of(
                File("/sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_cur_freq").readText().trim().toLong() / 1000.0,
                "MHz",
            )
        } catch (error: IOException) {
            Reading.missing("MHz", "the clock of cpu$cpu cannot be read (${error.message})")
        } catch (error: NumberFormatException) {
            Reading.missing("MHz", "the clock of cpu$cpu is not a number (${error.message})")
        }

    /** The battery's; the system tells tenths of a degree, and 0 where there is no sensor. */
    private fun temperature(battery: Intent?): Reading =
        when (val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, 0)) {
            null -> Reading.missing("degC", NO_BATTERY)
            0 -> Reading.missing("degC", "the battery temperature says 0, which is what an absent sensor gives")
            else -> Reading.of(tenths / 10.0, "degC")
        }

    private fun level(battery: Intent?): Reading {
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
        val scale = battery?.getIntExtra(BatteryManager.EXTRA_SCALE, 0) ?: 0
        return if (level < 0 || scale <= 0) Reading.missing("%", NO_BATTERY) else Reading.of(100.0 * level / scale, "%")
    }

    /** The state and what powers the phone, as `charging (USB)`. */
    private fun charging(battery: Intent): String {
        val status = battery.getIntExtra(BatteryManager.EXTRA_STATUS, BatteryManager.BATTERY_STATUS_UNKNOWN)
        val state =
            when (status) {
                BatteryManager.BATTERY_STATUS_CHARGING -> "charging"
                BatteryManager.BATTERY_STATUS_DISCHARGING -> "discharging"
                BatteryManager.BATTERY_STATUS_NOT_CHARGING -> "not charging"
                BatteryManager.BATTERY_STATUS_FULL -> "full"
                else -> "unknown"
            }
        val power =
            when (battery.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0)) {
                0 -> return state
                BatteryManager.BATTERY_PLUGGED_USB -> "USB"
                BatteryManager.BATTERY_PLUGGED_AC -> "AC"
                BatteryManager.BATTERY_PLUGGED_WIRELESS -> "wireless"
                else -> "other power"
            }
        return "$state ($power)"
    }

    private fun text(value: String?, reason: String) = value?.let(TextReading::of) ?: TextReading.missing(reason)

    companion object {
        private const val NO_BATTERY = "the system reports no battery state"

        /** By what names this phone is known. */
        fun phone(): Phone {
            val (maker, chip) =
                if (Build.VERSION.SDK_INT >= 31) Build.SOC_MANUFACTURER to Build.SOC_MODEL else null to null
            return Phone.of(maker, chip, Build.BOARD, Build.HARDWARE, Build.MANUFACTURER, Build.MODEL)
        }
    }
}
