package org.edgebundle.app

import android.content.Context
import android.graphics.Bitmap
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.ModelLoader

/** What the first screen shows: the present picture, what a variant of the bundle makes of it, and how long it took. Used by one thread. */
class Studio(private val context: Context) : AutoCloseable {
    private val loader: ModelLoader = StyleModel.loader(context)
    private val stylizes = loader.manifest.outputs.any { it.isImage }
    private var model: StyleModel? = null
    private var chosen: String? = null

    /** A rendered picture. `messages` says why other variants were not taken; `labels` are those of a classifier. */
    class Shown(val before: Bitmap, val after: Bitmap?, val variant: String, val delegate: String, val milliseconds: Double, val labels: List<String>, val messages: List<String>)

    /** Ids of the variants that this app can execute, and the bundle's own picture. */
    val variants = loader.variants.map { it.id }
    var picture: Bitmap = ownPicture()

    /** Whether pictures may be rendered whole, in tiles. */
    val takesWhole = stylizes

    /** Renders the present picture by a variant (`null`: the one that suits the phone). Blocks. Throws [BundleException]. */
    fun render(variant: String?, strength: Float, whole: Boolean): Shown = if (stylizes) stylize(variant, strength, whole) else classify()

    fun cancel() {
        model?.cancel()
    }

    override fun close() {
        model?.close()
        model = null
    }

    private fun stylize(variant: String?, strength: Float, whole: Boolean): Shown {
        val model = opened(variant)
        val start = System.nanoTime()
        val after = if (whole) model.stylizeLarge(picture, strength) else model.stylize(picture, strength)
        return Shown(picture, after, model.variant, model.delegate, (System.nanoTime() - start) / 1e6, emptyList(), model.messages)
    }

    private fun opened(variant: String?): StyleModel {
        model?.let { if (variant == chosen) return it }
        close()
        return StyleModel.open(context, variant = variant).also {
            model = it
            chosen = variant
        }
    }

    private fun classify(): Shown {
        val messages = ArrayList<String>()
        return StyleModel.openFirst(context, loader, StyleModel.defaultThreads(), messages).use { session ->
            loader.goldens.fill(session, session.manifest.goldens.first())
            val start = System.nanoTime()
            session.run()
            val elapsed = (System.nanoTime() - start) / 1e6
            val output = session.manifest.outputs.first()
            val values = session.values(output.name)
            val best = values.indices.sortedByDescending { values[it] }.take(3).map { output.labels?.getOrNull(it) ?: it.toString() }
            Shown(picture, null, session.variant.id, session.delegateExecuted.value ?: session.variant.delegate, elapsed, best, messages)
        }
    }

    private fun ownPicture(): Bitmap {
        val spec = loader.manifest.inputs.firstOrNull { it.isImage }
        val stored = loader.manifest.goldens.firstOrNull()?.inputs?.firstOrNull { it.name == spec?.name }
        if (spec == null || stored == null) throw BundleException("the bundle carries no test picture; add pictures to [data] evaluation and package it again.")
        val pixels = loader.goldens.pixels(stored, spec)
        return Bitmap.createBitmap(pixels.argb, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
    }
}
