package org.edgebundle.sdk

import android.content.Context
import android.graphics.Bitmap
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicBoolean
import org.edgebundle.sdk.core.CropMemory
import org.edgebundle.sdk.core.FrameGovernor
import org.edgebundle.sdk.core.FrameMixer
import org.edgebundle.sdk.core.FramePace
import org.edgebundle.sdk.core.YuvFrame

/**
 * A video through a [StyleModel]: frames in as they come, styled pictures out as fast as the phone can without overheating.
 *
 * The network runs on every k-th frame; in between, what it changed last is carried over to the present frame ([FrameMixer]). k and
 * the size of the pictures follow the network's time and the phone's thermal headroom ([FrameGovernor]). A frame that comes
 * while one is processed is dropped and counted.
 *
 * Threads: [submit] may be called from any one thread (CameraX's analyzer, a renderer's), reads the frame before it returns and
 * does not wait for the network. [show] is called on the processor's own thread with a bitmap that is valid until it returns:
 * draw or copy it there. Nothing is allocated per frame. The model must have equal input and output sizes.
 */
class FrameProcessor(context: Context, private val model: StyleModel, private val show: (Bitmap) -> Unit) : AutoCloseable {
    private val spec = model.inputSpec
    private val thermal = ThermalState(context)
    private val governor = FrameGovernor()
    private val mixer = FrameMixer(spec.width, spec.height)
    private val fitter = BitmapFitter(spec)
    private val crops = CropMemory(spec)
    private val frame = IntArray(spec.width * spec.height)
    private val small = IntArray(spec.width * spec.height)
    private val styled = IntArray(spec.width * spec.height)
    private val pictures = HashMap<Int, Bitmap>()
    private val worker = Executors.newSingleThreadExecutor { Thread(it, "edgebundle-frames") }
    private val busy = AtomicBoolean(false)
    private val job = Runnable(::process)
    private val render = { model.render(frame, styled) }
    private var lastFrame = 0L
    private var sinceKey = Int.MAX_VALUE
    private var failure: Throwable? = null

    /** Frames taken, and frames dropped because one was still being processed. */
    @Volatile
    var taken = 0
        private set

    @Volatile
    var dropped = 0
        private set

    /** How often the network runs and how large pictures are at the moment. */
    val pace: FramePace get() = governor.pace

    init {
        require(model.outputSpec.width == spec.width && model.outputSpec.height == spec.height) { "video needs a network whose output has the size of its input" }
    }

    /** A camera frame; false when it was dropped. CameraX: `submit(YuvFrame(...))` from the planes of an `ImageProxy`, then close it. */
    fun submit(frame: YuvFrame): Boolean = take { frame.read(crops.of(frame.uprightWidth, frame.uprightHeight), spec.width, spec.height, this.frame) }

    /** A frame as a bitmap, as the owner of a `SurfaceTexture` reads it back (`TextureView.getBitmap(reused)`); false when it was dropped. */
    fun submit(frame: Bitmap): Boolean = take { fitter.fit(frame, this.frame) }

    /** Ends processing; the model stays open. */
    override fun close() {
        worker.shutdown()
        model.cancel()
    }

    private inline fun take(read: () -> Unit): Boolean {
        failure?.let { throw IllegalStateException("an earlier frame failed: ${it.message}", it) }
        val now = System.nanoTime()
        if (lastFrame != 0L && !busy.get()) governor.frameAfter(now - lastFrame)
        if (!busy.compareAndSet(false, true)) {
            dropped++
            return false
        }
        lastFrame = now
        read()
        taken++
        worker.execute(job)
        return true
    }

    private fun process() {
        try {
            governor.headroom(thermal.headroomNow())
            val pace = governor.pace
            if (sinceKey >= pace.every - 1) network() else sinceKey++
            show(picture(pace.divisor, isKey = sinceKey == 0))
        } catch (error: Exception) {
            failure = error // told to the next submit: there is nobody to catch it here
        } finally {
            busy.set(false)
        }
    }

    private fun network() {
        val start = System.nanoTime()
        model.exclusively(render)
        mixer.key(frame, styled)
        governor.networkTook(System.nanoTime() - start)
        sinceKey = 0
    }

    private fun picture(divisor: Int, isKey: Boolean): Bitmap {
        val width = mixer.widthAt(divisor)
        val height = mixer.heightAt(divisor)
        if (isKey) {
            mixer.keyAt(divisor, styled)
        } else {
            reduce(divisor, width, height)
            mixer.mix(small, divisor, styled)
        }
        val bitmap = pictures.getOrPut(divisor) { Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888) }
        bitmap.setPixels(styled, 0, width, 0, 0, width, height)
        return bitmap
    }

    private fun reduce(divisor: Int, width: Int, height: Int) {
        var at = 0
        for (y in 0 until height) for (x in 0 until width) small[at++] = frame[y * divisor * spec.width + x * divisor]
    }
}
