package org.example.consumer

import android.app.Activity
import android.graphics.Bitmap
import android.os.Bundle
import java.nio.ByteBuffer
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
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

    fun later(picture: Bitmap) = CoroutineScope(Dispatchers.Default).launch { show(model.awaitStylized(picture)) }

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
