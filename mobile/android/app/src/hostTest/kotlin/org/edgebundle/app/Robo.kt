package org.edgebundle.app

import android.app.Application
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.view.View
import java.io.File
import java.util.concurrent.ExecutorService
import java.util.concurrent.TimeUnit
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.robolectric.RuntimeEnvironment
import org.robolectric.shadows.ShadowLooper

/** What the app's tests share. Pictures of the screen go to the folder that the caller reads. */
internal val APP: Application
    get() = RuntimeEnvironment.getApplication()
internal val OUT =
    File(System.getProperty("edgebundle.testdata") ?: error("start these tests by 'pytest tests/android'"), "out")

/** Where the bundle of these tests lies in the app's assets. */
private const val BUNDLE = "edgebundle/small"

/** Lets the worker and the main thread do what they were asked for, and what that asks for in turn. */
internal fun settle(worker: ExecutorService) =
    repeat(3) {
        worker.submit {}.get(120, TimeUnit.SECONDS)
        ShadowLooper.idleMainLooper()
    }

internal fun screenshot(view: View, name: String) {
    val picture = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
    view.draw(Canvas(picture))
    File(OUT, name).outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
}

/** The app's own bundle as a folder of files. */
internal fun folder(name: String): File {
    val target = File(APP.filesDir, name)
    fun copy(path: String) {
        for (child in APP.assets.list("$BUNDLE$path").orEmpty()) {
            if (APP.assets.list("$BUNDLE$path/$child").orEmpty().isNotEmpty()) copy("$path/$child")
            else
                File(target, "$path/$child")
                    .apply { parentFile?.mkdirs() }
                    .outputStream()
                    .use { out -> APP.assets.open("$BUNDLE$path/$child").use { it.copyTo(out) } }
        }
    }
    copy("")
    return target
}

internal fun asset(path: String): Bitmap = APP.assets.open("$BUNDLE/$path").use { BitmapFactory.decodeStream(it) }

/** Largest difference of any channel. */
internal fun worst(left: Bitmap, right: Bitmap): Int {
    assertEquals(left.width to left.height, right.width to right.height)
    return (0 until left.width * left.height).maxOf { i ->
        val a = left.getPixel(i % left.width, i / left.width)
        val b = right.getPixel(i % left.width, i / left.width)
        listOf(0, 8, 16).maxOf { abs((a shr it and 255) - (b shr it and 255)) }
    }
}

internal fun intentWith(activity: Class<*>, vararg extras: Pair<String, Any>) =
    Intent(APP, activity).also { intent ->
        for ((name, value) in extras) {
            when (value) {
                is Int -> intent.putExtra(name, value)
                is Float -> intent.putExtra(name, value)
                else -> intent.putExtra(name, value as String)
            }
        }
    }
