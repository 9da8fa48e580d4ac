package org.edgebundle.app

import android.content.Context
import android.graphics.Bitmap
import org.edgebundle.sdk.AssetBundle
import org.edgebundle.sdk.BITMAP_READER
import org.edgebundle.sdk.ENGINES
import org.edgebundle.sdk.StyleModel
import org.edgebundle.sdk.core.BundleException
import org.edgebundle.sdk.core.ModelLoader

/** What the app shows: the bundle's own test picture, what the network makes of it, and how long it took. */
class Demo(val before: Bitmap, val after: Bitmap?, val labels: List<String>, val variant: String, val milliseconds: Double, val messages: List<String>) {
    companion object {
        /** Runs the bundle's first golden picture. Blocks: call it off the main thread. Throws [BundleException]. */
        fun run(context: Context): Demo {
            val loader = ModelLoader(AssetBundle(context.assets), BITMAP_READER, ENGINES)
            val spec = loader.manifest.inputs.firstOrNull { it.isImage }
            val stored = loader.manifest.goldens.firstOrNull()?.inputs?.firstOrNull { it.name == spec?.name }
            if (spec == null || stored == null) throw BundleException("the bundle carries no test picture; add pictures to [data] evaluation and package it again.")
            val pixels = loader.goldens.pixels(stored, spec)
            val before = Bitmap.createBitmap(pixels.argb, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
            return if (loader.manifest.outputs.any { it.isImage }) stylize(context, before) else classify(context, loader, before)
        }

        private fun stylize(context: Context, before: Bitmap): Demo = StyleModel.open(context).use { model ->
            val after = model.stylize(before)
            val start = System.nanoTime()
            model.stylize(before, after)
            Demo(before, after, emptyList(), model.variant, (System.nanoTime() - start) / 1e6, model.messages)
        }

        private fun classify(context: Context, loader: ModelLoader, before: Bitmap): Demo {
            val messages = ArrayList<String>()
            return StyleModel.openFirst(context, loader, StyleModel.defaultThreads(), messages).use { session ->
                val golden = loader.manifest.goldens.first()
                loader.goldens.fill(session, golden)
                session.run()
                val start = System.nanoTime()
                session.run()
                val elapsed = (System.nanoTime() - start) / 1e6
                val output = loader.manifest.outputs.first()
                val values = session.values(output.name)
                val best = values.indices.sortedByDescending { values[it] }.take(3).map { output.labels?.getOrNull(it) ?: it.toString() }
                Demo(before, null, best, session.variant.id, elapsed, messages)
            }
        }
    }
}
