package org.edgebundle.sdk

import android.content.Context
import android.graphics.Bitmap
import android.util.Log
import org.edgebundle.sdk.core.CropMemory
import org.edgebundle.sdk.core.FramePace
import org.edgebundle.sdk.core.FramePipeline
import org.edgebundle.sdk.core.FrameStages
import org.edgebundle.sdk.core.YuvFrame

/**
 * Is given each picture of a video, on the processor's own thread. [picture] is valid until [show] returns: draw or
 * copy it there.
 */
fun interface FrameListener {
    fun show(picture: Bitmap)
}

/** Is told that a frame failed, on the processor's own thread; the next frame is taken as if nothing had been. */
fun interface FrameFailureListener {
    fun failed(error: Throwable)
}

/**
 * A video through an [ImageModel]: frames in as they come, styled pictures out at the same pace, without overheating
 * the phone.
 *
 * The network runs on every k-th frame, on a thread of its own; each other frame is shown at once, with the last styled
 * pictures carried to it by optical flow. Where the network is fast enough for every frame, each frame waits for its
 * own styled picture. k and the size of the pictures follow the network's time and the phone's thermal headroom
 * ([pace]). No frame is ever shown unstyled, so nothing is shown before the network has run once. Of frames that wait
 * only the newest is kept.
 *
 * Threads: [submit] may be called from any thread (CameraX's analyzer, a renderer's), reads the frame before it returns
 * and waits for nothing. Nothing is allocated per frame. What fails for one frame is told to `failed` and logged; it
 * never throws into your code.
 *
 * The processor ends by [close], with the activity that it was made in, and when the model is closed: `show` is not
 * called after that. The model stays open. It must have equal input and output sizes, otherwise the constructor throws
 * IllegalArgumentException.
 */
class FrameProcessor
@JvmOverloads
constructor(
    context: Context,
    private val model: ImageModel,
    private val failed: FrameFailureListener = FrameFailureListener {},
    private val show: FrameListener,
) : AutoCloseable {
    private val spec = model.inputSpec
    private val thermal = ThermalState(context)
    private val fitter = BitmapFitter(spec)
    private val crops = CropMemory(spec)
    private val pictures = HashMap<Int, Bitmap>()
    private val call = model.call()
    private val pipeline: FramePipeline
    private val owner: OwnerWatch?

    init {
        require(model.outputWidth == spec.width && model.outputHeight == spec.height) {
            "video needs a network whose output is a picture of its input's size"
        }
        pipeline = FramePipeline(spec.width, spec.height, Stages())
        owner = OwnerWatch.of(context, ::close)
    }

    /** Frames that were taken. */
    val taken: Int
        get() = pipeline.taken

    /** Frames that were not shown: a newer one came before they were taken up, or they could not be read. */
    val dropped: Int
        get() = pipeline.dropped

    /** How often the network runs and how large pictures are at the moment. */
    val pace: FramePace
        get() = pipeline.pace

    /**
     * A camera frame; false when it was not taken. CameraX: `submit(YuvFrame(...))` from the planes of an `ImageProxy`,
     * then close it.
     */
    fun submit(frame: YuvFrame): Boolean =
        pipeline.submit { frame.read(crops.of(frame.uprightWidth, frame.uprightHeight), spec.width, spec.height, it) }

    /**
     * A frame as a bitmap, as the owner of a `SurfaceTexture` reads it back (`TextureView.getBitmap(reused)`); false
     * when it was not taken.
     */
    fun submit(frame: Bitmap): Boolean = pipeline.submit { fitter.fit(frame, it) }

    /**
     * Ends processing; the model stays open, and no other call on it is touched. `show` is not called after it
     * returned; one in progress is waited for, at most a second.
     */
    override fun close() {
        owner?.stop()
        call.giveUp()
        pipeline.close()
    }

    private inner class Stages : FrameStages {
        override fun network(frame: IntArray, styled: IntArray): Long {
            call.renew()
            return call.run {
                val start = System.nanoTime() // the turn has come
                model.render(frame, styled, call)
                System.nanoTime() - start
            }
        }

        override fun show(picture: IntArray, width: Int, height: Int) {
            val bitmap = pictures.getOrPut(width) { Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888) }
            bitmap.setPixels(picture, 0, width, 0, 0, width, height)
            show.show(bitmap)
        }

        override fun failed(error: Throwable) {
            if (model.isClosed) close()
            Log.w(TAG, "a frame failed", error)
            failed.failed(error)
        }

        override fun headroom() = thermal.headroomNow()
    }

    private companion object {
        const val TAG = "edgebundle"
    }
}
