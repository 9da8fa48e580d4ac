package org.edgebundle.app

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.os.BatteryManager
import android.view.View
import android.widget.Button
import android.widget.TextView
import java.io.File
import java.util.concurrent.TimeUnit
import kotlin.math.abs
import org.edgebundle.sdk.DeviceState
import org.edgebundle.sdk.StyleModel
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowLog
import org.robolectric.shadows.ShadowLooper

/** The app itself, started as a phone starts it, with the real TensorFlow Lite of a desktop. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class MainActivityTest {
    private val app = RuntimeEnvironment.getApplication()
    private val out = File(System.getProperty("edgebundle.testdata") ?: error("start these tests by 'pytest tests/android'"), "out")

    /** The activity after it has done what it was started for. */
    private fun start(vararg extras: Pair<String, Any>): MainActivity {
        val intent = Intent(app, MainActivity::class.java)
        extras.forEach { (name, value) -> if (value is Int) intent.putExtra(name, value) else intent.putExtra(name, value as String) }
        return Robolectric.buildActivity(MainActivity::class.java, intent).setup().get().also(::finishWork)
    }

    private fun finishWork(activity: MainActivity) {
        activity.worker.submit {}.get(120, TimeUnit.SECONDS)
        ShadowLooper.idleMainLooper()
    }

    private fun status(activity: MainActivity) = activity.findViewById<TextView>(R.id.status).text.toString()

    private fun runLines() = ShadowLog.getLogsForTag("EDGEBUNDLE_RUN").map { JSONObject(it.msg) }

    private fun screenshot(activity: MainActivity, name: String) {
        val view: View = activity.window.decorView
        val picture = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(picture))
        File(out, name).outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
    }

    private fun asset(path: String): Bitmap = app.assets.open("edgebundle/$path").use { BitmapFactory.decodeStream(it) }

    private fun worst(left: Bitmap, right: Bitmap): Int {
        assertEquals(left.width to left.height, right.width to right.height)
        return (0 until left.width * left.height).maxOf { i ->
            val a = left.getPixel(i % left.width, i / left.width)
            val b = right.getPixel(i % left.width, i / left.width)
            listOf(0, 8, 16).maxOf { abs((a shr it and 255) - (b shr it and 255)) }
        }
    }

    @Test
    fun theGoldenPictureIsShownBeforeAndAfter() {
        val activity = start()
        screenshot(activity, "screen-en.png")
        assertTrue(status(activity), status(activity).startsWith("tflite-first: "))
        assertTrue(activity.findViewById<Button>(R.id.again).isEnabled)
    }

    @Test
    @Config(qualifiers = "+zh")
    fun theScreenSpeaksChinese() {
        val activity = start()
        assertTrue(status(activity), "毫秒" in status(activity))
        assertEquals("性能测试", activity.findViewById<Button>(R.id.benchmark).text.toString())
        screenshot(activity, "screen-zh.png")
    }

    @Test
    fun stylizeGivesTheGoldenPictureAndReusesABitmap() {
        StyleModel.open(app, threads = 2).use { model ->
            val input = asset("golden/0-image.png")
            val first = model.stylize(input)
            assertTrue("${worst(first, asset("golden/0-stylized.png"))}", worst(first, asset("golden/0-stylized.png")) <= 1)
            assertSame(first, model.stylize(input, first))
            assertNotSame(first, model.stylize(input))
        }
    }

    @Test
    fun picturesOfAnySizeAreTaken() {
        StyleModel.open(app).use { model ->
            for ((width, height) in listOf(1 to 1, 640 to 480, 33 to 500, 4000 to 3000)) {
                val result = model.stylize(Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888))
                assertEquals(model.outputWidth to model.outputHeight, result.width to result.height)
            }
        }
    }

    @Test
    fun aBenchmarkWritesItsRecordAndOneLogLine() {
        val activity = start("variant" to "tflite-second", "threads" to 2, "warmup" to 1, "runs" to 5, "output" to "lab.jsonl", "device" to "SERIAL1")
        val line = runLines().single()
        val record = JSONObject(File(line.getString("file")).readLines().single())
        assertEquals("tflite-second", record.getString("variant"))
        assertEquals("SERIAL1", record.getJSONObject("device").getString("id"))
        assertEquals(5, record.getJSONArray("latency_ns").length())
        assertEquals(record.getString("id"), line.getString("id"))
        assertTrue(record.getString("verdict"), record.getString("verdict") == "ok")
        File(line.getString("file")).copyTo(File(out, "lab.jsonl"), overwrite = true)
        screenshot(activity, "screen-benchmark.png")
    }

    @Test
    @Suppress("DEPRECATION") // on a phone only the system sends this broadcast
    fun theBatteryIsReadAsTheHarnessReadsIt() {
        val battery = Intent(Intent.ACTION_BATTERY_CHANGED)
            .putExtra(BatteryManager.EXTRA_TEMPERATURE, 315)
            .putExtra(BatteryManager.EXTRA_LEVEL, 4)
            .putExtra(BatteryManager.EXTRA_SCALE, 5)
            .putExtra(BatteryManager.EXTRA_STATUS, BatteryManager.BATTERY_STATUS_CHARGING)
            .putExtra(BatteryManager.EXTRA_PLUGGED, BatteryManager.BATTERY_PLUGGED_USB)
        val absent = DeviceState(app).conditions()
        assertTrue(absent.temperatureC.value == null && absent.temperatureC.reason != null)
        app.sendStickyBroadcast(battery)
        val now = DeviceState(app).conditions()
        assertEquals(31.5 to "degC", now.temperatureC.value to now.temperatureC.unit)
        assertEquals(80.0 to "%", now.batteryPercent.value to now.batteryPercent.unit)
        assertEquals("charging (USB)", now.charging.value)
    }

    @Test
    fun withoutAVariantAllAreMeasured() {
        start("runs" to 2)
        assertEquals(listOf("tflite-first", "tflite-second"), runLines().map { it.getString("variant") })
        assertEquals(2, File(runLines().last().getString("file")).readLines().size)
    }

    @Test
    fun aRequestThatCannotBeMeantIsAnsweredInWords() {
        for ((name, value) in listOf("runs" to 0, "output" to "../x", "threads" to 1000, "warmup" to -1, "variant" to "absent")) {
            ShadowLog.clear()
            val activity = start("runs" to 2, name to value)
            val error = runLines().single().getString("error")
            assertTrue(error, name in error)
            assertEquals(error, status(activity))
            assertFalse(File(app.getExternalFilesDir(null), "runs.jsonl").exists())
        }
    }
}
