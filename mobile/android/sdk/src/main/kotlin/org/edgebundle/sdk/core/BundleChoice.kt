package org.edgebundle.sdk.core

/**
 * The bundle that is meant of those that an app carries, by their [names]: the [wished] one, or the only one. Throws
 * [BundleError] when there is none of that name, or several and no wish (docs/sdk-rules.md, "Several bundles").
 */
internal fun chooseBundle(names: List<String>, wished: String?): String {
    if (names.isEmpty()) throw BundleError("the app carries no bundle; add what 'builder package' made to the app.")
    val known = names.sorted().joinToString()
    if (wished != null && wished !in names) throw BundleError("the app carries no bundle '$wished'; it has $known.")
    return wished
        ?: names.singleOrNull()
        ?: throw BundleError("the app carries several bundles ($known); say which one is to be opened.")
}
