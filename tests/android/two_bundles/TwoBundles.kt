package org.example.two

import android.content.Context
import android.graphics.Bitmap
import org.edgebundle.sdk.ImageModel

/** An app with two bundles, as docs/android.md says it. */
class TwoBundles(private val context: Context) {
    fun names(): List<String> = ImageModel.bundles(context)

    /** Both models are open at once. */
    fun processed(picture: Bitmap): List<Bitmap> =
        ImageModel.open(context, bundle = "small").use { small ->
            ImageModel.open(context, bundle = "several").use { several ->
                listOf(small.process(picture), several.process(picture))
            }
        }
}
