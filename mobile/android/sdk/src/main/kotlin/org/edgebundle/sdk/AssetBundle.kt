package org.edgebundle.sdk

import android.content.Context
import android.graphics.BitmapFactory
import java.io.File
import java.io.FileInputStream
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.BundleFiles
import org.edgebundle.sdk.core.PictureReader
import org.edgebundle.sdk.core.Pixels
import org.edgebundle.sdk.core.copyOnce

/** The bundle in the app's assets. Files that are mapped must be stored in the package without compression. */
class AssetBundle(context: Context) : BundleFiles {
    private val assets = context.assets
    private val copies = File(context.noBackupFilesDir, FOLDER)

    override fun open(path: String): InputStream = assets.open("$FOLDER/$path")

    override fun map(path: String): ByteBuffer =
        assets.openFd("$FOLDER/$path").use { file ->
            FileInputStream(file.fileDescriptor).use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }

    override fun file(path: String, sha256: String): File = copyOnce(map(path), File(copies, path), sha256)

    private companion object {
        const val FOLDER = "edgebundle"
    }
}

/** Decodes pictures with the system's decoder, pixel by pixel as they are in the file. */
val BITMAP_READER = PictureReader { stream ->
    val options =
        BitmapFactory.Options().apply {
            inScaled = false
            inPremultiplied = false
        }
    val bitmap =
        BitmapFactory.decodeStream(stream, null, options)
            ?: throw BundleError("a picture of the bundle cannot be decoded; install the app again.")
    val argb = IntArray(bitmap.width * bitmap.height)
    bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
    Pixels(bitmap.width, bitmap.height, argb).also { bitmap.recycle() }
}
