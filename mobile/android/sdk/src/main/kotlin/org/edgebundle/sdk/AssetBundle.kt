package org.edgebundle.sdk

import android.content.Context
import android.graphics.BitmapFactory
import java.io.File
import java.io.FileInputStream
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.edgebundle.sdk.core.BundleArchive
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.BundleFiles
import org.edgebundle.sdk.core.PictureReader
import org.edgebundle.sdk.core.Pixels
import org.edgebundle.sdk.core.chooseBundle
import org.edgebundle.sdk.core.copyOnce

/**
 * A bundle in the app's assets: the one named [name], or the only one. Files that are mapped must be stored in the
 * package without compression. Throws [BundleError] when there is none of that name, or several and no name.
 */
class AssetBundle @JvmOverloads constructor(context: Context, name: String? = null) : BundleFiles {
    private val assets = context.assets
    private val root = "$FOLDER/${chooseBundle(bundleNames(context), name)}"
    private val copies = File(context.noBackupFilesDir, root)

    override fun open(path: String): InputStream = assets.open("$root/$path")

    override fun map(path: String): ByteBuffer =
        assets.openFd("$root/$path").use { file ->
            FileInputStream(file.fileDescriptor).use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }

    override fun file(path: String, sha256: String): File = copyOnce(map(path), File(copies, path), sha256)
}

/** The names of the bundles in the app's assets, in alphabetical order. */
internal fun bundleNames(context: Context): List<String> =
    context.assets
        .list(FOLDER)
        .orEmpty()
        .map { it.substringBefore('/') } // Robolectric lists what is deeper, too
        .distinct()
        .sorted()

/** The folder of a bundle: [file] itself, or what was taken out of the `.zip` that it is. */
internal fun folderOf(context: Context, file: File): File =
    if (file.isFile) BundleArchive(File(context.noBackupFilesDir, "$FOLDER-files")).unpacked(file) else file

/** In the assets: a folder for each bundle. */
private const val FOLDER = "edgebundle"

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
