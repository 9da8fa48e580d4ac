package org.edgebundle.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.net.Uri
import android.os.Bundle
import android.provider.MediaStore
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.ScrollView
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
    private fun start(vararg extras: Pair<String, Any>) =
        Robolectric.buildActivity(MainActivity::class.java, intentWith(MainActivity::class.java, *extras)).setup()

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
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) {
            APP.assets.open("edgebundle/small/golden/0-image.png")
        }
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
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) {
            APP.assets.open("edgebundle/small/golden/0-stylized.png")
        }
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
    fun aTurnedPhoneKeepsTheChosenVariant() {
        val controller = start()
        settle(controller.get().worker)
        controller.get().findViewById<Spinner>(R.id.variants).setSelection(2)
        settle(controller.get().worker)
        controller.recreate()
        settle(controller.get().worker)
        assertEquals(2, controller.get().findViewById<Spinner>(R.id.variants).selectedItemPosition)
        assertTrue(status(controller.get()), status(controller.get()).startsWith("tflite-second: "))
    }

    @Test
    fun anAppThatTheSystemEndedShowsThePictureAndVariantAgain() {
        val controller = start()
        val activity = controller.get().also { settle(it.worker) }
        val uri = Uri.parse("content://pictures/5")
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) {
            APP.assets.open("edgebundle/small/golden/0-stylized.png")
        }
        activity.open(uri)
        activity.findViewById<Spinner>(R.id.variants).setSelection(2)
        activity.findViewById<CheckBox>(R.id.whole).isChecked = true
        settle(activity.worker)
        val shown = activity.onRetainNonConfigurationInstance() as Bitmap
        val state = Bundle()
        controller.pause().stop().saveInstanceState(state).destroy()
        // A new process has the saved state and nothing else.
        val again =
            Robolectric.buildActivity(MainActivity::class.java, intentWith(MainActivity::class.java))
                .setup(state)
                .get()
                .also { settle(it.worker) }
        assertEquals(0, worst(shown, again.onRetainNonConfigurationInstance() as Bitmap))
        assertTrue(status(again), status(again).startsWith("tflite-second: "))
        assertTrue(again.findViewById<CheckBox>(R.id.whole).isChecked)
    }

    @Test
    fun aPictureThatIsGoneAfterARestartGivesTheBundlesOwn() {
        val state = Bundle().apply { putString("source", "content://nowhere/1") }
        val activity =
            Robolectric.buildActivity(MainActivity::class.java, intentWith(MainActivity::class.java))
                .setup(state)
                .get()
                .also { settle(it.worker) }
        assertTrue(status(activity), status(activity).startsWith("tflite-first: "))
    }

    @Test
    fun aProviderThatRefusesOrFailsIsSaid() {
        val activity = started()
        for ((number, problem) in
            listOf(
                    SecurityException("no permission"),
                    IllegalArgumentException("an unknown row"),
                    NullPointerException("its own bug"),
                )
                .withIndex()) {
            val uri = Uri.parse("content://pictures/refused$number")
            shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) { throw problem }
            activity.open(uri)
            settle(activity.worker)
            assertTrue(
                status(activity),
                "cannot be read" in status(activity) && problem.message.orEmpty() in status(activity),
            )
        }
    }

    @Test
    @Config(qualifiers = "w320dp-h480dp-mdpi", fontScale = 2f)
    fun atLargeFontsOnASmallPhoneThePictureIsSeenAndNoWordBreaks() {
        val activity = started()
        val compare = activity.findViewById<View>(R.id.compare)
        assertTrue("${compare.height}", compare.height >= 200)
        for (id in listOf(R.id.pick, R.id.take, R.id.save, R.id.whole, R.id.live)) {
            val button = activity.findViewById<TextView>(id)
            assertTrue(
                "'${button.text}' has ${button.lineCount} lines",
                button.lineCount == 1 && button.height >= button.layout.height,
            )
        }
        screenshot(activity.window.decorView, "screen-large-font.png")
        val scroll =
            activity.findViewById<View>(android.R.id.content).let { (it as android.view.ViewGroup).getChildAt(0) }
                as ScrollView
        scroll.scrollTo(0, 10_000)
        screenshot(activity.window.decorView, "screen-large-font-below.png")
    }

    @Test
    fun theAppIsCalledAsItsModel() = assertEquals("Small", APP.applicationInfo.loadLabel(APP.packageManager).toString())

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
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) {
            ByteArrayInputStream("no picture".toByteArray())
        }
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
        assertEquals(
            "content://${APP.packageName}.camera/picture.jpg",
            intent.getParcelableExtra(MediaStore.EXTRA_OUTPUT, Uri::class.java).toString(),
        )
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
