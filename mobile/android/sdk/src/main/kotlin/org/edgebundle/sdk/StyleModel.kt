package org.edgebundle.sdk

import android.content.Context
import android.graphics.Bitmap
import android.os.Build
import android.util.Log
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.Session

/**
 * An image network of the app's bundle: picture in, picture out.
 *
 * [open] and [stylize] block: call them off the main thread. Calls from several threads are taken one after the other.
 */
class StyleModel private constructor(private val session: Session, val messages: List<String>) : AutoCloseable {
    private val input = session.manifest.inputs.first { it.isImage }
    private val output = session.manifest.outputs.first { it.isImage }
    private val fitter = BitmapFitter(input)
    private val inputPixels = IntArray(input.width * input.height)
    private val outputPixels = IntArray(output.width * output.height)

    /** The variant in use, and the size of the pictures that [stylize] gives. */
    val variant: String get() = session.variant.id
    val outputWidth get() = output.width
    val outputHeight get() = output.height

    /**
     * The picture as the network renders it, of [outputWidth] x [outputHeight] pixels; [bitmap] may have any size and is fitted as
     * the manifest says. Pass the result of an earlier call as [into] to write into it instead of a new bitmap.
     */
    @Synchronized
    fun stylize(bitmap: Bitmap, into: Bitmap? = null): Bitmap {
        fitter.fit(bitmap, inputPixels)
        session.setPicture(input.name, inputPixels)
        session.run()
        session.picture(output.name, outputPixels)
        val result = into ?: Bitmap.createBitmap(output.width, output.height, Bitmap.Config.ARGB_8888)
        result.setPixels(outputPixels, 0, output.width, 0, 0, output.width, output.height)
        return result
    }

    @Synchronized
    override fun close() = session.close()

    companion object {
        private const val TAG = "edgebundle"

        /**
         * Opens the bundle in the app's assets: the first variant whose hash is right, which the runtime loads and which passes its
         * goldens (checked once per installed bundle and system). [messages] says why earlier ones were passed over.
         * Throws [BundleException] when none works or the model does not turn a picture into a picture.
         */
        fun open(context: Context, threads: Int = defaultThreads()): StyleModel {
            val loader = ModelLoader(AssetBundle(context.assets), BITMAP_READER, ENGINES)
            if (loader.manifest.inputs.singleOrNull()?.isImage != true || loader.manifest.outputs.none { it.isImage }) {
                throw BundleException("model '${loader.manifest.modelName}' does not turn one picture into a picture; use ModelLoader and Session.")
            }
            val messages = ArrayList<String>()
            return StyleModel(openFirst(context, loader, threads, messages), messages)
        }

        /** The first variant that works, as [open] chooses it, for models that are not picture to picture. */
        fun openFirst(context: Context, loader: ModelLoader, threads: Int, messages: MutableList<String>): Session {
            val memory = context.getSharedPreferences(TAG, Context.MODE_PRIVATE)
            fun key(session: Session) = "${session.variant.sha256} ${session.runtimeVersion} ${Build.FINGERPRINT}"
            return loader.loadFirst(
                threads,
                verified = { memory.getString(it.variant.id, null) == loader.bundleSha256 + key(it) },
                passed = { memory.edit().putString(it.variant.id, loader.bundleSha256 + key(it)).apply() },
                report = { message ->
                    Log.w(TAG, message)
                    messages += message
                },
            )
        }

        /** Half of the cores, at most 4: the big ones of most phones. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}
