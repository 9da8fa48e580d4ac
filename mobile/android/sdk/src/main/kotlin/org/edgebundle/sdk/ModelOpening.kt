package org.edgebundle.sdk

import android.app.ActivityManager
import android.content.Context
import android.util.Log
import java.io.File
import org.edgebundle.sdk.core.BundleError
import org.edgebundle.sdk.core.DeviceFacts
import org.edgebundle.sdk.core.ModelLoader
import org.edgebundle.sdk.core.Opened
import org.edgebundle.sdk.core.VariantOpener

private const val TAG = "edgebundle"

/** Opens load one after the other: none sees the mark that another one has set. */
private val ONE_OPEN = Any()

internal fun openModel(context: Context, threads: Int, variant: String?, folder: File?): ImageModel {
    require(threads in 1..MOST_THREADS) { "'threads' is 1 to $MOST_THREADS, not $threads" }
    val application = context.applicationContext ?: context
    val loader = ImageModel.loader(application, folder)
    if (loader.manifest.inputs.count { it.isPicture } != 1) {
        throw BundleError(
            "model '${loader.manifest.modelName}' does not take one picture; use ModelLoader and Session."
        )
    }
    val notes = ArrayList<String>()
    val opened = openFirst(application, loader, threads, variant, notes)
    var model: ImageModel? = null
    try {
        return ImageModel(opened, loader, notes) { freeMemory(application) }
            .also { made ->
                model = made
                made.messages.forEach { Log.w(TAG, it) }
            }
    } finally {
        if (model == null) opened.session.close()
    }
}

private fun openFirst(
    context: Context,
    loader: ModelLoader,
    threads: Int,
    wished: String?,
    notes: MutableList<String>,
): Opened {
    val choice = loader.choose(deviceFacts(context))
    notes += choice.messages
    val order = if (wished == null) choice.order else choice.order.sortedBy { it !== loader.manifest.variant(wished) }
    synchronized(ONE_OPEN) {
        return VariantOpener(loader, threads, InstalledMemory(context, loader.bundleSha256)).first(order)
    }
}

/** What decides which variant this device is given. */
internal fun deviceFacts(context: Context) =
    DeviceFacts(phone = DeviceState.phone(), freeMemoryBytes = freeMemory(context))

/** Bytes of memory that are free, `null` where the system does not tell. */
private fun freeMemory(context: Context): Long? {
    val state = ActivityManager.MemoryInfo()
    (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(state)
    return state.availMem.takeIf { it > 0 }
}

private const val MOST_THREADS = 64
