package org.example.consumer

import android.app.Activity
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle
import java.io.File
import java.nio.ByteBuffer
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.awaitProcessedVideo
import org.edgebundle.sdk.core.YuvFrame
import org.edgebundle.sdk.core.YuvPlane
import org.edgebundle.sdk.stylizeVideo

/** An app that uses every public way into the library, as a developer would write it. */
class Consumer : Activity() {
    private lateinit var model: ImageModel
    private lateinit var frames: FrameProcessor

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        Thread {
                model = ImageModel.open(this, bundle = "small", variant = "tflite-first")
                frames =
                    FrameProcessor(this, model, failed = { error -> title = error.message }) { picture ->
                        show(picture)
                    }
                val whole =
                    model.processLarge(Bitmap.createBitmap(640, 480, Bitmap.Config.ARGB_8888), strength = 0.8f) {
                        done,
                        tiles ->
                        title = "$done/$tiles"
                    }
                show(model.process(whole, into = null))
                model.styles.forEach { (name, length) -> model.setStyle(name, FloatArray(length)) }
                title = "${model.variant} ${model.delegate} ${model.messages} ${model.tried.map { it.reason }}"
                if (model.isClassifier) title = model.classify(whole).joinToString { it.name }
            }
            .start()
    }

    /** As an app was written for an earlier version. */
    fun earlier(picture: Bitmap) =
        StyleModel.open(this, file = File(filesDir, "bundle")).use { model: StyleModel ->
            show(model.stylize(picture, strength = 0.5f))
        }

    fun later(picture: Bitmap) = CoroutineScope(Dispatchers.Default).launch { show(model.awaitProcessed(picture)) }

    fun film(input: File) = model.stylizeVideo(input, File(filesDir, "out.mp4")) { done -> title = "$done" }

    fun filmLater(input: Uri) =
        CoroutineScope(Dispatchers.Default).launch {
            val made = model.awaitProcessedVideo(this@Consumer, input, File(filesDir, "out.mp4"), every = 3)
            title = "${made.frames} ${made.keys} ${made.hasSound} ${made.notes}"
        }

    fun camera(y: ByteBuffer, u: ByteBuffer, v: ByteBuffer) {
        frames.submit(YuvFrame(640, 480, YuvPlane(y, 640, 1), YuvPlane(u, 640, 2), YuvPlane(v, 640, 2), 90))
    }

    override fun onDestroy() {
        model.cancel()
        frames.close()
        model.close()
        super.onDestroy()
    }

    private fun show(picture: Bitmap) = runOnUiThread { title = "${picture.width} x ${picture.height}" }
}
