package org.edgebundle.sdk

import android.app.ActivityManager
import android.content.Context
import android.graphics.Bitmap
import android.os.Build
import android.util.Log
import java.util.concurrent.CancellationException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import org.edgebundle.sdk.core.Blend
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.DeviceFacts
import org.edgebundle.sdk.core.GoldenCheck
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.Session

/**
 * An image network of the app's bundle: picture in, picture out.
 *
 * Threads: [open], [stylize] and [stylizeLarge] block, call them off the main thread; the `await` forms suspend and work on a
 * thread of the model. Calls from several threads are taken one after the other. [cancel] may be called from anywhere and
 * returns at once, as does cancelling a coroutine, which ends its own call alone; [close] waits for the call in progress.
 */
class StyleModel private constructor(private val session: Session, loader: ModelLoader, val messages: List<String>, private val memory: () -> Long?) : AutoCloseable {
    private val input = session.manifest.inputs.first { it.isImage }
    private val output = session.manifest.outputs.first { it.isImage }
    private val fitter = BitmapFitter(input)
    private val inputPixels = IntArray(input.width * input.height)
    private val outputPixels = IntArray(output.width * output.height)
    private val original = OriginalPicture(input, output)
    private val worker: ExecutorService = Executors.newSingleThreadExecutor { Thread(it, "edgebundle") }

    @Volatile
    private var cancelled = false
    private var givenUp: () -> Boolean = NEVER
    private var closed = false

    init {
        setDefaults(loader)
    }

    /** The variant in use, the delegate that its runtime reports (not confirmed where it does not), and the size of the pictures that [stylize] gives. */
    val variant: String get() = session.variant.id
    val delegate: String get() = session.delegateExecuted.value ?: "${session.variant.delegate}, not confirmed"
    val outputWidth get() = output.width
    val outputHeight get() = output.height

    /** Names and lengths of the style vectors that the network takes beside the picture. */
    val styles: Map<String, Int> get() = session.manifest.inputs.filter { !it.isImage }.associate { it.name to it.count }

    /** Sets a style vector, for all later pictures. At first it is that of the bundle's own test picture. */
    @Synchronized
    fun setStyle(name: String, values: FloatArray) {
        val wanted = requireNotNull(styles[name]) { "model '${session.manifest.modelName}' has no style '$name'; it has ${styles.keys.ifEmpty { setOf("none") }.joinToString()}" }
        require(values.size == wanted) { "style '$name' has $wanted values, not ${values.size}" }
        session.setValues(name, values)
    }

    /**
     * The picture as the network renders it, of [outputWidth] x [outputHeight] pixels; [bitmap] may have any size and config and is
     * fitted as the manifest says. [strength] 0..1 mixes it with the original. Pass the result of an earlier call as [into] to
     * write into it instead of a new bitmap: nothing is allocated then.
     */
    fun stylize(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap = one(bitmap, strength, into, NEVER)

    @Synchronized
    private fun one(bitmap: Bitmap, strength: Float, into: Bitmap?, givenUp: () -> Boolean): Bitmap {
        begin(givenUp)
        val weight = Blend.weight(strength)
        fitter.fit(bitmap, inputPixels)
        render(inputPixels, outputPixels)
        if (weight < Blend.weight(1f)) Blend.mix(original.of(bitmap, inputPixels), outputPixels, weight, outputPixels)
        val result = into ?: Bitmap.createBitmap(output.width, output.height, Bitmap.Config.ARGB_8888)
        result.setPixels(outputPixels, 0, output.width, 0, 0, output.width, output.height)
        return result
    }

    /**
     * The whole picture in its own size (times the network's own factor), rendered in overlapping tiles. A picture for which there
     * is not enough memory is reduced first: compare the result's size. Networks whose output is no multiple of their input, or that
     * must see the whole picture at once, are to be used by [stylize].
     */
    fun stylizeLarge(bitmap: Bitmap, strength: Float = 1f, progress: (done: Int, tiles: Int) -> Unit = { _, _ -> }): Bitmap =
        whole(bitmap, strength, progress, NEVER)

    @Synchronized
    private fun whole(bitmap: Bitmap, strength: Float, progress: (Int, Int) -> Unit, givenUp: () -> Boolean): Bitmap {
        begin(givenUp)
        return LargePicture(input, output, session.variant.tiling, memory).render(bitmap, ::isCancelled, progress) { tile, into ->
            render(tile, into)
            if (strength < 1f) Blend.mix(original.scaled(tile), into, Blend.weight(strength), into)
        }
    }

    /** [stylize] on the model's own thread; cancelling the coroutine ends it as [cancel] does. */
    suspend fun awaitStylized(bitmap: Bitmap, strength: Float = 1f, into: Bitmap? = null): Bitmap = onWorker { one(bitmap, strength, into, it) }

    /** [stylizeLarge] on the model's own thread; cancelling the coroutine ends it before its next tile. [progress] is told on that thread. */
    suspend fun awaitStylizedLarge(bitmap: Bitmap, strength: Float = 1f, progress: (done: Int, tiles: Int) -> Unit = { _, _ -> }): Bitmap =
        onWorker { whole(bitmap, strength, progress, it) }

    /** Ends the call in progress by a `CancellationException`: before the network runs or at its next tile. Later calls are not touched. */
    fun cancel() {
        cancelled = true
    }

    @Synchronized
    override fun close() {
        if (closed) return
        closed = true
        worker.shutdown()
        fitter.close()
        original.close()
        session.close()
    }

    /** Pixels of exactly the network's input to pixels of exactly its output. */
    internal fun render(pixels: IntArray, into: IntArray) {
        if (isCancelled()) throw CancellationException("the picture was cancelled")
        session.setPicture(input.name, pixels)
        session.run()
        session.picture(output.name, into)
    }

    /** What frames of a video need to know of the network. */
    internal val inputSpec get() = input
    internal val outputSpec get() = output

    /** [work] while no other call uses the model. */
    @Synchronized
    internal fun <T> exclusively(work: () -> T): T {
        begin(NEVER)
        return work()
    }

    /** Starts a call that ends early when [cancel] is called, or when its own caller has [givenUp]. */
    private fun begin(givenUp: () -> Boolean) {
        check(!closed) { "the model was closed; open it again" }
        cancelled = false
        this.givenUp = givenUp
    }

    private fun isCancelled() = cancelled || givenUp()

    private fun setDefaults(loader: ModelLoader) {
        val golden = session.manifest.goldens.firstOrNull() ?: return
        for (tensor in golden.inputs) if (tensor.encoding != GoldenCheck.PNG) session.setValues(tensor.name, loader.goldens.values(tensor))
    }

    private suspend fun <T> onWorker(work: (givenUp: () -> Boolean) -> T): T = suspendCancellableCoroutine { waiting ->
        try {
            worker.execute {
                if (waiting.isActive) runCatching { work { !waiting.isActive } }.fold(waiting::resume, waiting::resumeWithException)
            }
        } catch (error: RejectedExecutionException) {
            waiting.resumeWithException(IllegalStateException("the model was closed; open it again", error))
        }
    }

    companion object {
        private const val TAG = "edgebundle"
        private val NEVER = { false }

        /**
         * Opens the bundle in the app's assets: the first variant, in the order that suits this device, whose hash is right, which
         * the runtime loads and which passes its goldens (checked once per installed bundle and system). [messages] says why
         * earlier ones were passed over. Throws [BundleException] when none works or the model does not turn a picture into a picture.
         */
        fun open(context: Context, threads: Int = defaultThreads(), variant: String? = null): StyleModel {
            val loader = loader(context)
            val images = loader.manifest.inputs.count { it.isImage }
            if (images != 1 || loader.manifest.outputs.none { it.isImage }) {
                throw BundleException("model '${loader.manifest.modelName}' does not turn one picture into a picture; use ModelLoader and Session.")
            }
            val messages = ArrayList<String>()
            val session = if (variant == null) openFirst(context, loader, threads, messages) else loader.load(loader.manifest.variant(variant), threads)
            return StyleModel(session, loader, messages) { freeMemory(context) }
        }

        /** The loader of the app's own bundle with this library's engines. */
        fun loader(context: Context) = ModelLoader(AssetBundle(context), BITMAP_READER, ENGINES, Logcat)

        /** The first variant that works, as [open] chooses it, for models that are not picture to picture. */
        fun openFirst(context: Context, loader: ModelLoader, threads: Int, messages: MutableList<String>): Session {
            val memory = context.getSharedPreferences(TAG, Context.MODE_PRIVATE)
            fun key(session: Session) = "${session.variant.sha256} ${session.runtimeVersion} ${Build.FINGERPRINT}"
            fun report(message: String) {
                Log.w(TAG, message)
                messages += message
            }
            val choice = loader.choose(facts(context))
            choice.messages.forEach(::report)
            return loader.loadFirst(
                choice.order,
                threads,
                verified = { memory.getString(it.variant.id, null) == loader.bundleSha256 + key(it) },
                passed = { memory.edit().putString(it.variant.id, loader.bundleSha256 + key(it)).apply() },
                report = ::report,
            )
        }

        /** What decides which variant this device is given. */
        fun facts(context: Context) = DeviceFacts(
            phone = DeviceState.phone(),
            freeMemoryBytes = freeMemory(context),
        )

        /** Half of the cores, at most 4: the big ones of most phones. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)

        /** Bytes of memory that are free, `null` where the system does not tell. */
        private fun freeMemory(context: Context): Long? {
            val state = ActivityManager.MemoryInfo()
            (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(state)
            return state.availMem.takeIf { it > 0 }
        }
    }
}
