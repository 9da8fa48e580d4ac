package org.edgebundle.app

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import java.io.IOException
import java.io.InputStream

/** Reads pictures that a person chose: of bounded size, and upright as EXIF says. */
object PictureLoader {
    /** The longer side of a picture is less than twice this; a screen shows less. */
    const val LONGEST = 2048

    /** Throws IOException when the picture cannot be read. */
    fun load(resolver: ContentResolver, uri: Uri): Bitmap = load {
        resolver.openInputStream(uri) ?: throw IOException("$uri is gone")
    }

    /** The same from any source that can be opened several times. */
    fun load(open: () -> InputStream): Bitmap {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        open().use { BitmapFactory.decodeStream(it, null, bounds) }
        val options =
            BitmapFactory.Options().apply {
                inSampleSize = Integer.highestOneBit(maxOf(1, maxOf(bounds.outWidth, bounds.outHeight) / LONGEST))
            }
        val decoded =
            open().use { BitmapFactory.decodeStream(it, null, options) }
                ?: throw IOException("this is not a picture that Android can read")
        val upright =
            uprightMatrix(
                open().use {
                    ExifInterface(it).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
                }
            )
        return if (upright.isIdentity) decoded
        else Bitmap.createBitmap(decoded, 0, 0, decoded.width, decoded.height, upright, true)
    }

    /** What makes a picture of that EXIF orientation (1..8) stand upright. */
    private fun uprightMatrix(orientation: Int) =
        Matrix().apply {
            when (orientation) {
                ExifInterface.ORIENTATION_ROTATE_90,
                ExifInterface.ORIENTATION_TRANSPOSE -> postRotate(90f)
                ExifInterface.ORIENTATION_ROTATE_180 -> postRotate(180f)
                ExifInterface.ORIENTATION_ROTATE_270,
                ExifInterface.ORIENTATION_TRANSVERSE -> postRotate(270f)
            }
            when (orientation) {
                ExifInterface.ORIENTATION_FLIP_HORIZONTAL,
                ExifInterface.ORIENTATION_TRANSPOSE,
                ExifInterface.ORIENTATION_TRANSVERSE -> postScale(-1f, 1f)
                ExifInterface.ORIENTATION_FLIP_VERTICAL -> postScale(1f, -1f)
            }
        }
}
