package org.edgebundle.app

import android.content.Context
import android.graphics.Bitmap
import org.edgebundle.sdk.ImageModel
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.ModelLoader

/**
 * What the first screen shows: the present picture, what a variant of the bundle makes of it, and how long it took.
 * Used by one thread.
 */
class Studio(private val context: Context) : AutoCloseable {
    private val loader: ModelLoader = ImageModel.loader(context)
    private var model: ImageModel? = null
    private var chosen: String? = null

    /** A rendered picture. `messages` says why other variants were not taken; `labels` are those of a classifier. */
    class Shown(
        val before: Bitmap,
        val after: Bitmap?,
        val variant: String,
        val delegate: String,
        val milliseconds: Double,
        val labels: List<String>,
        val messages: List<String>,
    )

    /** Ids of the variants that this app can execute, and the bundle's own picture. */
    val variants = loader.variants.map { it.id }
    var picture: Bitmap = ownPicture()

    /** Whether pictures may be rendered whole, in tiles. */
    val takesWhole = loader.manifest.outputs.any { it.isPicture }

    /**
     * Renders the present picture by a variant (`null`: the one that suits the phone). Blocks. Throws [BundleError].
     */
    fun render(variant: String?, strength: Float, whole: Boolean): Shown {
        val model = opened(variant)
        val start = System.nanoTime()
        val after =
            if (!model.givesPicture) null
            else if (whole) model.processLarge(picture, strength) else model.process(picture, strength)
        val labels = if (model.givesPicture) emptyList() else said(model)
        return Shown(
            picture,
            after,
            model.variant,
            model.delegate,
            (System.nanoTime() - start) / 1e6,
            labels,
            model.messages,
        )
    }

    fun cancel() {
        model?.cancel()
    }

    override fun close() {
        model?.close()
        model = null
    }

    private fun opened(variant: String?): ImageModel {
        model?.let { if (variant == chosen) return it }
        close()
        return ImageModel.open(context, variant = variant).also {
            model = it
            chosen = variant
        }
    }

    /** The best labels of a classifier; of other networks how many values each output has. */
    private fun said(model: ImageModel): List<String> =
        if (model.isClassifier) model.classify(picture, most = 3).map { it.toString() }
        else model.run(picture).map { (name, values) -> "$name: ${values.size}" }

    private fun ownPicture(): Bitmap {
        val spec = loader.manifest.inputs.firstOrNull { it.isPicture }
        val stored = loader.manifest.goldens.firstOrNull()?.inputs?.firstOrNull { it.name == spec?.name }
        if (spec == null || stored == null)
            throw BundleError(
                "the bundle carries no test picture; add pictures to [data] evaluation and package it again."
            )
        val pixels = loader.goldens.pixels(stored, spec)
        return Bitmap.createBitmap(pixels.argb, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
    }
}
