package org.edgebundle.app

import android.app.Activity
import android.content.Intent
import android.graphics.BitmapFactory
import android.net.Uri
import android.provider.MediaStore
import android.widget.Button
import android.widget.CheckBox
import android.widget.Spinner
import android.widget.TextView
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.fakes.RoboMenu

/** The first screen, started as a phone starts it, with the real TensorFlow Lite of a desktop. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class MainActivityTest {
    private fun start(vararg extras: Pair<String, Any>) = Robolectric.buildActivity(MainActivity::class.java, intentWith(MainActivity::class.java, *extras)).setup()

    private fun started(): MainActivity = start().get().also { settle(it.worker) }

    private fun status(activity: MainActivity) = activity.findViewById<TextView>(R.id.status).text.toString()

    @Test
    fun theGoldenPictureIsShownBeforeAndAfter() {
        val activity = started()
        screenshot(activity.window.decorView, "screen-en.png")
        assertTrue(status(activity), status(activity).startsWith("tflite-first: "))
        val state = activity.findViewById<TextView>(R.id.state).text.toString()
        assertTrue(state, "Memory" in state && "Battery" in state)
    }

    @Test
    @Config(qualifiers = "+zh")
    fun theScreenSpeaksChinese() {
        val activity = started()
        assertTrue(status(activity), "毫秒" in status(activity))
        assertEquals("保存", activity.findViewById<Button>(R.id.save).text.toString())
        screenshot(activity.window.decorView, "screen-zh.png")
    }

    @Test
    @Config(qualifiers = "+land-night")
    fun theScreenIsDarkWherePhoneIs() = screenshot(started().window.decorView, "screen-night.png")

    @Test
    fun anotherVariantIsChosenAndRendersAgain() {
        val activity = started()
        activity.findViewById<Spinner>(R.id.variants).setSelection(2)
        settle(activity.worker)
        assertTrue(status(activity), status(activity).startsWith("tflite-second: "))
    }

    @Test
    fun aChosenPictureIsShownAndItsFullSizeRendered() {
        val activity = started()
        val uri = Uri.parse("content://pictures/1")
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) { APP.assets.open("edgebundle/golden/0-image.png") }
        activity.findViewById<Button>(R.id.pick).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.intent.action)
        activity.findViewById<CheckBox>(R.id.whole).isChecked = true
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        settle(activity.worker)
        assertTrue(status(activity), status(activity).startsWith("tflite-first: "))
        screenshot(activity.window.decorView, "screen-whole.png")
    }

    @Test
    fun aTurnedPhoneKeepsThePicture() {
        val controller = start()
        val activity = controller.get().also { settle(it.worker) }
        val uri = Uri.parse("content://pictures/3")
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) { APP.assets.open("edgebundle/golden/0-stylized.png") }
        activity.open(uri)
        settle(activity.worker)
        val kept = activity.onRetainNonConfigurationInstance()
        controller.recreate()
        settle(controller.get().worker)
        assertSame(kept, controller.get().onRetainNonConfigurationInstance())
    }

    @Test
    fun theRenderedPictureIsSavedWhereTheUserSays() {
        val activity = started()
        activity.findViewById<Button>(R.id.save).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, asked.intent.action)
        val uri = Uri.parse("content://pictures/4")
        val written = ByteArrayOutputStream()
        shadowOf(activity.contentResolver).registerOutputStream(uri, written)
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        settle(activity.worker)
        assertEquals("Saved.", status(activity))
        val saved = BitmapFactory.decodeByteArray(written.toByteArray(), 0, written.size())
        assertTrue("${worst(saved, asset("golden/0-stylized.png"))}", worst(saved, asset("golden/0-stylized.png")) < 16)
    }

    @Test
    fun theMenuLeadsToTheBenchmark() {
        val activity = started()
        val menu = RoboMenu(activity)
        assertTrue(activity.onCreateOptionsMenu(menu))
        assertEquals("Benchmark", menu.getItem(0).title)
        assertTrue(activity.onOptionsItemSelected(menu.getItem(0)))
        assertEquals(BenchmarkActivity::class.java.name, shadowOf(activity).nextStartedActivity.component?.className)
    }

    @Test
    fun whatIsNoPictureIsSaid() {
        val activity = started()
        val uri = Uri.parse("content://pictures/2")
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream("no picture".toByteArray()) }
        activity.open(uri)
        settle(activity.worker)
        assertTrue(status(activity), "cannot be read" in status(activity))
    }

    @Test
    fun theCameraIsAskedForAPictureInOurOwnFile() {
        val activity = started()
        activity.findViewById<Button>(R.id.take).performClick()
        val intent = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, intent.action)
        assertEquals("content://${APP.packageName}.camera/picture.jpg", intent.getParcelableExtra(MediaStore.EXTRA_OUTPUT, Uri::class.java).toString())
    }

    @Test
    fun inTheBackgroundTheLiveModeWaits() {
        val controller = start()
        val activity = controller.get().also { settle(it.worker) }
        activity.findViewById<CheckBox>(R.id.live).isChecked = true
        settle(activity.worker)
        controller.pause().stop()
        settle(activity.worker)
        settle(activity.worker)
        val before = status(activity)
        settle(activity.worker)
        assertEquals(before, status(activity))
        controller.restart().start().resume()
        settle(activity.worker)
        assertTrue(status(activity).isNotEmpty())
        activity.findViewById<CheckBox>(R.id.live).isChecked = false
        settle(activity.worker)
    }

    @Test
    fun aRequestToMeasureIsHandedToTheBenchmarkScreen() {
        val activity = start("protocol" to "quick", "variant" to "tflite-second").get()
        val next = shadowOf(activity).nextStartedActivity
        assertEquals(BenchmarkActivity::class.java.name, next.component?.className)
        assertEquals("quick" to "tflite-second", next.getStringExtra("protocol") to next.getStringExtra("variant"))
        assertTrue(activity.isFinishing)
        assertFalse(BenchmarkRequest.isIn(Intent().putExtra("other", 1)))
    }
}
