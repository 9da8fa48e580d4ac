package org.edgebundle.sdk

import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import java.io.ByteArrayOutputStream
import java.io.File
import org.edgebundle.sdk.core.Blend
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.Manifest
import org.edgebundle.sdk.core.RemoteConsent
import org.edgebundle.sdk.core.RemoteModel
import org.edgebundle.sdk.core.Sent

/** A picture, and what left the device for it; [sent] is `null` where the device rendered it itself. */
class Processed(val picture: Bitmap, val sent: Sent?)

/**
 * The app's model, and where no variant of it works on this device, a server of `builder package --target server`. Use
 * it instead of [ImageModel] if your users may be offered that; [ImageModel] alone never sends anything.
 *
 * Exactly one of [model] and [server] is not `null`. The app needs the permission `android.permission.INTERNET`.
 */
class ModelOrServer
private constructor(val model: ImageModel?, val server: RemoteModel?, private val pictures: RemotePictures?) :
    AutoCloseable {

    /**
     * The picture as the network renders it, as [ImageModel.process] gives it. On a server the picture goes there in
     * the network's own size, and nothing else. Blocks. Throws [BundleError] when the runtime or the server gives up.
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun process(bitmap: Bitmap, strength: Float = 1f): Processed {
        if (model != null) return Processed(model.process(bitmap, strength), null)
        return checkNotNull(pictures).process(checkNotNull(server), bitmap, strength)
    }

    override fun close() {
        model?.close()
        pictures?.close()
    }

    companion object {
        /**
         * [ImageModel.open]; where it finds no variant that works, [consent] is asked, and then the server at [address]
         * is used. Blocks. Throws [BundleError] with both reasons when neither can be used, and at once for a network
         * that does not take and give a picture, which is what a server does.
         */
        @JvmStatic
        @JvmOverloads
        @Throws(BundleError::class)
        fun open(
            context: Context,
            address: String,
            consent: RemoteConsent,
            threads: Int = ImageModel.defaultThreads(),
            variant: String? = null,
            folder: File? = null,
        ): ModelOrServer {
            try {
                return ModelOrServer(ImageModel.open(context, threads, variant, folder), null, null)
            } catch (error: BundleError) {
                val manifest = ImageModel.loader(context, folder).manifest
                if (manifest.inputs.none { it.isPicture } || manifest.outputs.none { it.isPicture }) throw error
                val reason = error.message.orEmpty()
                val server = RemoteModel.open(address, reason, manifest.modelName, consent = consent)
                return ModelOrServer(null, server, RemotePictures(manifest))
            }
        }
    }
}

/** Bitmaps to files of the network's own size and back; the network takes and gives a picture. */
internal class RemotePictures(manifest: Manifest) : AutoCloseable {
    private val input = manifest.inputs.first { it.isPicture }
    private val output = manifest.outputs.first { it.isPicture }
    private val fitter = BitmapFitter(input)
    private val original = OriginalPicture(input, output)
    private val pixels = IntArray(input.width * input.height)

    @Synchronized
    fun process(server: RemoteModel, bitmap: Bitmap, strength: Float): Processed {
        val weight = Blend.weight(strength)
        fitter.fit(bitmap, pixels)
        val fitted = Bitmap.createBitmap(pixels, input.width, input.height, Bitmap.Config.ARGB_8888)
        val file = ByteArrayOutputStream()
        fitted.compress(Bitmap.CompressFormat.PNG, BEST, file)
        fitted.recycle()
        val answer = server.process(file.toByteArray())
        val made = picture(server, answer.png)
        if (weight < Blend.weight(1f)) Blend.mix(original.of(bitmap, pixels), made, weight, made)
        val result = Bitmap.createBitmap(made, output.width, output.height, Bitmap.Config.ARGB_8888)
        result.setHasAlpha(false)
        return Processed(result, answer.sent)
    }

    /** Pixels of the server's picture. Its size is looked at before it is decoded. */
    private fun picture(server: RemoteModel, png: ByteArray): IntArray {
        val size = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(png, 0, png.size, size)
        if (size.outWidth < 0) throw BundleError("${server.host} answered with a picture that cannot be read.")
        if (size.outWidth != output.width || size.outHeight != output.height) {
            throw BundleError(
                "${server.host} answered with a picture of ${size.outWidth} x ${size.outHeight} pixels, not ${output.width} x ${output.height}."
            )
        }
        val decoded =
            BitmapFactory.decodeByteArray(png, 0, png.size)
                ?: throw BundleError("${server.host} answered with a picture that cannot be read.")
        return IntArray(output.width * output.height).also {
            decoded.getPixels(it, 0, output.width, 0, 0, output.width, output.height)
            decoded.recycle()
        }
    }

    override fun close() {
        fitter.close()
        original.close()
    }

    private companion object {
        const val BEST = 100
    }
}
