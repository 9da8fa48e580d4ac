package org.edgebundle.sdk

import android.content.Context
import android.graphics.Bitmap
import java.io.File
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import org.edgebundle.sdk.core.Blend
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.CallQueue
import org.edgebundle.sdk.core.DeviceFacts
import org.edgebundle.sdk.core.FolderBundle
import org.edgebundle.sdk.core.GoldenCheck
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.Opened
import org.edgebundle.sdk.core.ScoredLabel
import org.edgebundle.sdk.core.Tried
import org.edgebundle.sdk.core.labelsOf

/**
 * An image network of the app's bundle: a picture in; a picture, labels or other values out.
 *
 * [process] and [processLarge] are for networks that give a picture, [classify] for classifiers, [run] for every output
 * of any network.
 *
 * Threads: [open] and these functions block, call them off the main thread; the `await` forms suspend, and the forms
 * with a callback return at once. Calls from several threads are taken one after the other. [cancel] may be called from
 * anywhere and returns at once; cancelling a coroutine ends its own call alone. [close] cancels the call in progress
 * and waits for its end.
 *
 * Pictures may have any size and config. Transparent parts are composed on white, and results are opaque. A bitmap
 * stands upright as its pixels are: turn what a camera or a JPEG with EXIF gives before you pass it.
 */
class ImageModel
internal constructor(
    private val opened: Opened,
    private val loader: ModelLoader,
    notes: List<String>,
    private val memory: () -> Long?,
) : AutoCloseable {
    private val session = opened.session
    private val input = session.manifest.inputs.first { it.isPicture }
    private val output = session.manifest.outputs.firstOrNull { it.isPicture }
    private val fitter = BitmapFitter(input)
    private val inputPixels = IntArray(input.width * input.height)
    private val outputPixels = IntArray(output?.let { it.width * it.height } ?: 0)
    private val original by lazy { OriginalPicture(input, picture) }
    private val worker: ExecutorService =
        Executors.newSingleThreadExecutor { Thread(it, "edgebundle").apply { isDaemon = true } }
    private val calls = CallQueue()

    /** Each variant that was passed over when the model was opened, and why. */
    val tried: List<Tried> = opened.tried

    /**
     * What an engineer should know of the choice of the variant: [tried] in sentences, and what could not be checked.
     */
    val messages: List<String> = notes + tried.map { it.toString() } + opened.notes

    /** Id of the variant in use. */
    val variant: String
        get() = session.variant.id

    /**
     * The delegate that the runtime reports, or the variant's own with `not confirmed` where the runtime does not say.
     */
    val delegate: String
        get() = opened.delegate.value ?: "${session.variant.delegate}, not confirmed"

    /** Width of the pictures that [process] gives, in pixels; 0 for a network that gives none. */
    val outputWidth: Int
        get() = output?.width ?: 0

    /** Height of the pictures that [process] gives, in pixels; 0 for a network that gives none. */
    val outputHeight: Int
        get() = output?.height ?: 0

    /** Whether the network gives a picture: [process] and [processLarge] are for such networks alone. */
    val givesPicture: Boolean
        get() = output != null

    /** Whether the network gives scores of labels: [classify] is for such networks alone. */
    val isClassifier: Boolean
        get() = session.manifest.outputs.any { it.labels != null }

    /** Names of the network's outputs, and how many values each has. */
    val outputs: Map<String, Int>
        get() = session.manifest.outputs.associate { it.name to it.count }

    /** Names and lengths of the style vectors that the network takes beside the picture. */
    val styles: Map<String, Int>
        get() = session.manifest.inputs.filter { it !== input }.associate { it.name to it.count }

    init {
        setDefaults()
    }

    /**
     * Sets a style vector, for all later pictures. At first it is that of the bundle's own test picture. Throws
     * IllegalArgumentException for an unknown name or another length.
     */
    fun setStyle(name: String, values: FloatArray) {
        val wanted =
            requireNotNull(styles[name]) {
                "model '${session.manifest.modelName}' has no style '$name'; it has ${styles.keys.ifEmpty { setOf("none") }.joinToString()}"
            }
        require(values.size == wanted) { "style '$name' has $wanted values, not ${values.size}" }
        calls.Call().run { session.setValues(name, values) }
    }

    /**
     * The picture as the network renders it, of [outputWidth] x [outputHeight] pixels; [bitmap] is fitted as the
     * manifest says. [strength] 0..1 mixes it with the original. Pass the result of an earlier call as [into] to write
     * into it instead of a new bitmap: nothing is allocated then.
     *
     * Throws IllegalArgumentException for a bitmap or a strength that cannot be used, CancellationException after
     * [cancel], [BundleError] when the runtime gives up.
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun process(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap =
        one(bitmap, strength, into, calls.Call())

    private fun one(bitmap: Bitmap, strength: Float, into: Bitmap?, call: CallQueue.Call): Bitmap {
        val weight = Blend.weight(strength)
        into?.let { checkTarget(it, picture.width, picture.height) }
        return call.run {
            fitter.fit(bitmap, inputPixels)
            render(inputPixels, outputPixels, call)
            if (weight < Blend.weight(1f))
                Blend.mix(original.of(bitmap, inputPixels), outputPixels, weight, outputPixels)
            val result = into ?: Bitmap.createBitmap(picture.width, picture.height, Bitmap.Config.ARGB_8888)
            result.setPixels(outputPixels, 0, picture.width, 0, 0, picture.width, picture.height)
            result.setHasAlpha(false)
            result
        }
    }

    /**
     * The whole picture in its own size (times the network's own factor), rendered in overlapping tiles. A picture for
     * which there is not enough memory is reduced first: compare the result's size. Networks whose output is no
     * multiple of their input, or that must see the whole picture at once, are to be used by [process].
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun processLarge(bitmap: Bitmap, strength: Float = 1f, progress: TileProgress = TileProgress.NONE): Bitmap =
        whole(bitmap, strength, progress, calls.Call())

    private fun whole(bitmap: Bitmap, strength: Float, progress: TileProgress, call: CallQueue.Call): Bitmap {
        val weight = Blend.weight(strength)
        return call.run {
            LargePicture(input, picture, session.variant.tiling, memory).render(bitmap, call::isCancelled, progress) {
                tile,
                into ->
                render(tile, into, call)
                if (strength < 1f) Blend.mix(original.scaled(tile), into, weight, into)
            }
        }
    }

    /**
     * What a classifier sees in the picture: the [most] labels with the highest scores, best first. Throws
     * IllegalStateException for a network without labels.
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun classify(bitmap: Bitmap, most: Int = 5): List<ScoredLabel> = classified(bitmap, most, calls.Call())

    private fun classified(bitmap: Bitmap, most: Int, call: CallQueue.Call): List<ScoredLabel> {
        val spec =
            checkNotNull(session.manifest.outputs.firstOrNull { it.labels != null }) {
                "model '${session.manifest.modelName}' has no labels; use run"
            }
        return call.run {
            fitter.fit(bitmap, inputPixels)
            infer(inputPixels, call)
            labelsOf(session.values(spec.name), spec.labels.orEmpty(), most)
        }
    }

    /** Every output of the network for the picture, by its name, in the order and range of the source model (NCHW). */
    @Throws(BundleError::class)
    fun run(bitmap: Bitmap): Map<String, FloatArray> =
        calls.Call().let { call ->
            call.run {
                fitter.fit(bitmap, inputPixels)
                infer(inputPixels, call)
                session.manifest.outputs.associate { it.name to session.values(it.name) }
            }
        }

    /** [process] on the model's own thread; cancelling the coroutine ends it as [cancel] does. */
    suspend fun awaitProcessed(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap = onWorker {
        one(bitmap, strength, into, it)
    }

    /**
     * [processLarge] on the model's own thread; cancelling the coroutine ends it before its next tile. [progress] is
     * told on that thread.
     */
    suspend fun awaitProcessedLarge(
        bitmap: Bitmap,
        strength: Float = 1f,
        progress: TileProgress = TileProgress.NONE,
    ): Bitmap = onWorker { whole(bitmap, strength, progress, it) }

    /** [classify] on the model's own thread; cancelling the coroutine ends it as [cancel] does. */
    suspend fun awaitClassified(bitmap: Bitmap, most: Int = 5): List<ScoredLabel> = onWorker {
        classified(bitmap, most, it)
    }

    /**
     * [process] on the model's own thread, for callers without coroutines: [callback] is told there. Closing what comes
     * back ends this call alone. Throws IllegalStateException after [close].
     */
    @JvmOverloads
    fun processAsync(bitmap: Bitmap, strength: Float = 1f, callback: PictureCallback): AutoCloseable =
        later(callback) { one(bitmap, strength, null, it) }

    /**
     * [processLarge] on the model's own thread, for callers without coroutines; [progress] and [callback] are told
     * there.
     */
    @JvmOverloads
    fun processLargeAsync(
        bitmap: Bitmap,
        strength: Float = 1f,
        progress: TileProgress = TileProgress.NONE,
        callback: PictureCallback,
    ): AutoCloseable = later(callback) { whole(bitmap, strength, progress, it) }

    /** The name that [process] has for networks that change a picture's style. */
    @JvmOverloads
    @Throws(BundleError::class)
    fun stylize(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap = process(bitmap, strength, into)

    /** The name that [processLarge] has for networks that change a picture's style. */
    @JvmOverloads
    @Throws(BundleError::class)
    fun stylizeLarge(bitmap: Bitmap, strength: Float = 1f, progress: TileProgress = TileProgress.NONE): Bitmap =
        processLarge(bitmap, strength, progress)

    /** The name that [awaitProcessed] has for networks that change a picture's style. */
    suspend fun awaitStylized(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap =
        awaitProcessed(bitmap, strength, into)

    /** The name that [awaitProcessedLarge] has for networks that change a picture's style. */
    suspend fun awaitStylizedLarge(
        bitmap: Bitmap,
        strength: Float = 1f,
        progress: TileProgress = TileProgress.NONE,
    ): Bitmap = awaitProcessedLarge(bitmap, strength, progress)

    /**
     * Ends by a `CancellationException` every call that was made so far, whether it waits or runs: before the network
     * runs or at its next tile. Later calls are not touched.
     */
    fun cancel() = calls.cancel()

    override fun close() =
        calls.close {
            worker.shutdown()
            fitter.close()
            if (output != null) original.close()
            session.close()
        }

    internal val isClosed
        get() = calls.isClosed

    /** A call of a video, to be renewed for each frame. */
    internal fun call() = calls.Call()

    /** Pixels of exactly the network's input to pixels of exactly its output, inside a turn of [call]. */
    internal fun render(pixels: IntArray, into: IntArray, call: CallQueue.Call) {
        infer(pixels, call)
        session.readPicture(picture.name, into)
    }

    /** What frames of a video need to know of the network. */
    internal val inputSpec
        get() = input

    internal val picture
        get() = checkNotNull(output) { "model '${session.manifest.modelName}' gives no picture; use classify or run" }

    private fun infer(pixels: IntArray, call: CallQueue.Call) {
        call.check()
        session.setPicture(input.name, pixels)
        session.run()
    }

    private fun setDefaults() {
        val golden = session.manifest.goldens.firstOrNull() ?: return
        for (tensor in golden.inputs) {
            val spec = session.manifest.inputs.first { it.name == tensor.name }
            if (tensor.encoding != GoldenCheck.PNG && spec !== input)
                session.setValues(tensor.name, loader.goldens.values(tensor, spec))
        }
    }

    private suspend fun <T> onWorker(work: (CallQueue.Call) -> T): T = suspendCancellableCoroutine { waiting ->
        val call = calls.Call()
        waiting.invokeOnCancellation { call.giveUp() }
        try {
            worker.execute {
                if (waiting.isActive) runCatching { work(call) }.fold(waiting::resume, waiting::resumeWithException)
            }
        } catch (error: RejectedExecutionException) {
            waiting.resumeWithException(IllegalStateException(CLOSED, error))
        }
    }

    private fun later(callback: PictureCallback, work: (CallQueue.Call) -> Bitmap): AutoCloseable {
        val call = calls.Call()
        try {
            worker.execute { runCatching { work(call) }.fold({ callback.done(it, null) }, { callback.done(null, it) }) }
        } catch (error: RejectedExecutionException) {
            throw IllegalStateException(CLOSED, error)
        }
        return AutoCloseable(call::giveUp)
    }

    companion object {
        private const val CLOSED = "the model was closed; open it again"

        /**
         * Opens the bundle in the app's assets: the first variant, in the order that suits this device, whose hash is
         * right, which the runtime loads, which its own delegate executes and which passes its goldens (checked once
         * per installed bundle and system). [variant] names one to be tried before the others. [tried] says why others
         * were passed over. Blocks.
         *
         * With [folder] it opens the bundle in that folder instead, whose files must not change while the model is
         * open.
         *
         * Throws [BundleError] when none works, or when the network does not take one picture.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleError::class)
        fun open(
            context: Context,
            threads: Int = defaultThreads(),
            variant: String? = null,
            folder: File? = null,
        ): ImageModel = openModel(context, threads, variant, folder)

        /** The loader of the app's own bundle, or of the one in [folder], with this library's engines. */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleError::class)
        fun loader(context: Context, folder: File? = null): ModelLoader =
            ModelLoader(
                if (folder == null) AssetBundle(context) else FolderBundle(folder),
                BITMAP_READER,
                ENGINES,
                Logcat,
            )

        /** What decides which variant this device is given. */
        @JvmStatic fun facts(context: Context): DeviceFacts = deviceFacts(context)

        /** Half of the cores, at most 4: the big ones of most phones. */
        @JvmStatic fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}

/** The name that [ImageModel] has for networks that change a picture's style. */
typealias StyleModel = ImageModel
