package org.edgebundle.sdk.core

/** What decides which variant a device is given; `null` where the device does not say. */
class DeviceFacts(val phone: Phone, val freeMemoryBytes: Long?)

/** The variants to try, best first, and what to say about the others. */
class VariantChoice(val order: List<Variant>, val messages: List<String>)

/**
 * The variants of [manifest] that one of [engines] executes, in the order in which they are tried: by the bundle's
 * measured ranking for this device where it carries one, else as the manifest lists them; those that need more memory
 * than is free come last, the smallest first.
 */
fun chooseVariants(manifest: Manifest, engines: Set<String>, facts: DeviceFacts): VariantChoice {
    val messages = ArrayList<String>()
    val runnable = manifest.variants.filter { engineKey(it) in engines }
    val ranking = manifest.rankings.firstOrNull { it.fits(facts) }
    val ranked = if (ranking == null) runnable else runnable.sortedBy { ranking.place(it) }
    val free = facts.freeMemoryBytes
    val (fitting, large) = ranked.partition { free == null || it.predictedPeakMemoryBytes <= free }
    for (variant in large) {
        messages +=
            "variant '${variant.id}' needs ${mega(variant.predictedPeakMemoryBytes)} MB of memory and ${mega(free ?: 0)} MB are free; others are tried first."
    }
    return VariantChoice(fitting + large.sortedBy { it.predictedPeakMemoryBytes }, messages)
}

private fun mega(bytes: Long) = bytes / 1_000_000
