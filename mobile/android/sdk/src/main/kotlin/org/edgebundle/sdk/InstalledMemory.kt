package org.edgebundle.sdk

import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
import org.edgebundle.sdk.core.TextReading
import org.edgebundle.sdk.core.Variant
import org.edgebundle.sdk.core.VariantMemory

/**
 * Keeps what is known of the variants of the bundle [bundleSha256] in the app's preferences, until bundle, app or
 * system change.
 */
internal class InstalledMemory(context: Context, bundleSha256: String) : VariantMemory {
    private val kept = context.getSharedPreferences("edgebundle", Context.MODE_PRIVATE)
    private val bundle = bundleSha256.take(16)
    private val state = "$bundleSha256 ${Build.FINGERPRINT} ${updated(context)}"

    override fun passed(variant: Variant): TextReading? {
        val found = kept.getString(passedKey(variant), null)?.takeIf { it.startsWith("$state\n") } ?: return null
        val delegate = found.substringAfter("\n")
        return if (delegate.isEmpty()) TextReading.missing("its runtime did not say so when it was checked")
        else TextReading.of(delegate)
    }

    override fun setPassed(variant: Variant, delegate: TextReading) =
        kept.edit().putString(passedKey(variant), "$state\n${delegate.value.orEmpty()}").apply()

    override fun deaths(variant: Variant): Int {
        val found = kept.getString(markKey(variant), null)?.takeIf { it.startsWith("$state\n") } ?: return 0
        return found.substringAfter("\n").toIntOrNull() ?: 0
    }

    override fun mark(variant: Variant) {
        kept.edit().putString(markKey(variant), "$state\n${deaths(variant) + 1}").commit()
    }

    override fun unmark(variant: Variant) {
        kept.edit().remove(markKey(variant)).commit()
    }

    private fun passedKey(variant: Variant) = "passed $bundle ${variant.id}"

    private fun markKey(variant: Variant) = "loading $bundle ${variant.id}"

    /**
     * When the app was installed or updated last; 0 where the system does not know the app, as in an isolated process.
     */
    private fun updated(context: Context): Long =
        try {
            context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime
        } catch (_: PackageManager.NameNotFoundException) {
            0L
        }
}
