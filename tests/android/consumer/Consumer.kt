package org.example.consumer

import android.app.Activity
import android.graphics.Bitmap
import android.os.Bundle
import java.nio.ByteBuffer
import kotlin.coroutines.Continuation
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.startCoroutine
import org.edgebundle.sdk.FrameProcessor
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.core.YuvFrame
import org.edgebundle.sdk.core.YuvPlane

/** An app that uses every public way into the library, as a developer would write it. */
class Consumer : Activity() {
    private lateinit var model: StyleModel
    private lateinit var frames: FrameProcessor

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        Thread {
            model = StyleModel.open(this)
            frames = FrameProcessor(this, model) { picture -> show(picture) }
            val whole = model.stylizeLarge(Bitmap.createBitmap(640, 480, Bitmap.Config.ARGB_8888), strength = 0.8f) { done, tiles -> title = "$done/$tiles" }
            show(model.stylize(whole, into = null))
            model.styles.forEach { (name, length) -> model.setStyle(name, FloatArray(length)) }
            title = "${model.variant} ${model.delegate} ${model.messages}"
        }.start()
    }

    fun later(picture: Bitmap) {
        val work: suspend () -> Bitmap = { model.awaitStylized(picture) }
        work.startCoroutine(object : Continuation<Bitmap> {
            override val context: CoroutineContext = EmptyCoroutineContext

            override fun resumeWith(result: Result<Bitmap>) = show(result.getOrThrow())
        })
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
