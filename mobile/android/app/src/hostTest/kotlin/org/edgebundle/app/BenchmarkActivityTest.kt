package org.edgebundle.app

import android.content.Intent
import android.os.BatteryManager
import android.os.PowerManager
import android.widget.Button
import android.widget.TextView
import java.io.File
import org.edgebundle.sdk.DeviceState
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowLog

/** The benchmark screen and the headless way, with the real TensorFlow Lite of a desktop. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class BenchmarkActivityTest {
    private fun start(vararg extras: Pair<String, Any>): BenchmarkActivity =
        Robolectric.buildActivity(BenchmarkActivity::class.java, intentWith(BenchmarkActivity::class.java, *extras))
            .setup()
            .get()
            .also { settle(it.worker) }

    private fun results(activity: BenchmarkActivity) = activity.findViewById<TextView>(R.id.results).text.toString()

    private fun runLines() = ShadowLog.getLogsForTag("EDGEBUNDLE_RUN").map { JSONObject(it.msg) }

    @Test
    fun aBenchmarkWritesItsRecordAndOneLogLine() {
        shadowOf(APP.getSystemService(PowerManager::class.java))
            .setCurrentThermalStatus(PowerManager.THERMAL_STATUS_NONE)
        start(
            "variant" to "tflite-second",
            "threads" to 2,
            "warmup" to 1,
            "runs" to 5,
            "output" to "lab.jsonl",
            "device" to "SERIAL1",
        )
        val line = runLines().single()
        val record = JSONObject(File(line.getString("file")).readLines().single())
        assertEquals("tflite-second", record.getString("variant"))
        assertEquals("SERIAL1", record.getJSONObject("device").getString("id"))
        assertEquals(5, record.getJSONArray("latency_ns").length())
        assertEquals(record.getString("id"), line.getString("id"))
        // This machine has no logcat: which delegate executed cannot be known, and the record says so.
        assertEquals("delegate_unknown", record.getJSONObject("verdict").getString("code"))
        File(line.getString("file")).copyTo(File(OUT, "lab.jsonl"), overwrite = true)
    }

    @Test
    fun secondsAreMeasuredToTheirEnd() {
        start("seconds" to 0.2f, "variant" to "tflite-first")
        val record = JSONObject(File(runLines().single().getString("file")).readLines().single())
        val latencies = record.getJSONArray("latency_ns")
        assertTrue((0 until latencies.length()).sumOf(latencies::getLong) >= 200_000_000)
        assertEquals("custom", record.getJSONObject("protocol").getString("name"))
    }

    @Test
    fun aProtocolBringsItsNumbers() {
        start("protocol" to "quick", "variant" to "tflite-first")
        val protocol =
            JSONObject(File(runLines().single().getString("file")).readLines().single()).getJSONObject("protocol")
        assertEquals(
            listOf("quick", 5, 30),
            listOf(protocol.getString("name"), protocol.getInt("warmup"), protocol.getInt("runs")),
        )
    }

    @Test
    fun theButtonMeasuresAllVariantsAndShowsThem() {
        val activity = start()
        assertEquals("", results(activity))
        activity.findViewById<Button>(R.id.start).performClick()
        settle(activity.worker)
        assertTrue(
            results(activity),
            "tflite-first" in results(activity) && "tflite-second" in results(activity) && "median" in results(activity),
        )
        assertTrue(activity.findViewById<Button>(R.id.start).isEnabled)
        screenshot(activity.window.decorView, "screen-benchmark.png")
    }

    @Test
    fun leavingTheScreenMakesARunInvalid() {
        val controller =
            Robolectric.buildActivity(
                    BenchmarkActivity::class.java,
                    intentWith(BenchmarkActivity::class.java, "seconds" to 0.5f, "variant" to "tflite-first"),
                )
                .setup()
        controller.pause().stop()
        settle(controller.get().worker)
        assertEquals(
            "invalid: the app was not in the foreground all the time",
            runLines().single().getString("verdict"),
        )
    }

    @Test
    fun withoutAVariantAllAreMeasured() {
        start("runs" to 2)
        assertEquals(listOf("tflite-first", "tflite-second"), runLines().map { it.getString("variant") })
        assertEquals(2, File(runLines().last().getString("file")).readLines().size)
    }

    @Test
    fun aRequestThatCannotBeMeantIsAnsweredInWords() {
        for ((name, value) in
            listOf(
                "runs" to 0,
                "output" to "../x",
                "threads" to 1000,
                "warmup" to -1,
                "seconds" to -1,
                "variant" to "absent",
            )) {
            ShadowLog.clear()
            val activity = start("runs" to 2, name to value)
            val error = runLines().single().getString("error")
            assertTrue(error, name in error)
            assertEquals(error, results(activity))
            assertFalse(File(APP.getExternalFilesDir(null), "runs.jsonl").exists())
        }
    }

    @Test
    @Suppress("DEPRECATION") // on a phone only the system sends this broadcast
    fun theBatteryIsReadAsTheHarnessReadsIt() {
        val battery =
            Intent(Intent.ACTION_BATTERY_CHANGED)
                .putExtra(BatteryManager.EXTRA_TEMPERATURE, 315)
                .putExtra(BatteryManager.EXTRA_LEVEL, 4)
                .putExtra(BatteryManager.EXTRA_SCALE, 5)
                .putExtra(BatteryManager.EXTRA_STATUS, BatteryManager.BATTERY_STATUS_CHARGING)
                .putExtra(BatteryManager.EXTRA_PLUGGED, BatteryManager.BATTERY_PLUGGED_USB)
        val absent = DeviceState(APP).conditions()
        assertTrue(absent.temperatureC.value == null && absent.temperatureC.reason != null)
        APP.sendStickyBroadcast(battery)
        val now = DeviceState(APP).conditions()
        assertEquals(31.5 to "degC", now.temperatureC.value to now.temperatureC.unit)
        assertEquals(80.0 to "%", now.batteryPercent.value to now.batteryPercent.unit)
        assertEquals("charging (USB)", now.charging.value)
    }
}
