package org.edgebundle.sdk.core

import java.io.IOException

/** Opens variants of a bundle: hash verified, artifact mapped, loaded in its engine, golden checked. */
class ModelLoader(
    private val files: BundleFiles,
    pictures: PictureReader,
    private val engines: Map<String, EngineFactory>,
    private val log: RuntimeLog = NoRuntimeLog,
) {
    private val manifestBytes = files.bytes(MANIFEST)

    /** Identity of the bundle: the hash of its manifest. */
    val bundleSha256 = sha256(manifestBytes)
    val manifest = ManifestReader.read(manifestBytes.decodeToString())
    val goldens = GoldenCheck(files, pictures, manifest.hashes)

    /** The variants that this app has an engine for, in order of preference. */
    val variants
        get() = manifest.variants.filter { engineKey(it) in engines }

    /** The variants that this app has an engine for, in the order in which this device tries them. */
    fun choose(facts: DeviceFacts): VariantChoice = chooseVariants(manifest, engines.keys, facts)

    /**
     * Loads one variant without running it. With [readLog] the runtime's log is read for the delegate that took it,
     * where the runtime does not say so otherwise. Throws [BundleError] naming it and the reason.
     */
    @JvmOverloads
    @Throws(BundleError::class)
    fun load(variant: Variant, threads: Int, readLog: Boolean = true): Session {
        val factory =
            engines[engineKey(variant)]
                ?: throw BundleError(
                    "variant '${variant.id}' needs ${variant.backend} with ${variant.delegate}, which this app does not carry."
                )
        val engine =
            try {
                factory.open(variant, artifact(variant), threads, if (readLog) log else NoRuntimeLog)
            } catch (error: IOException) {
                throw BundleError(
                    "${variant.file} of variant '${variant.id}' cannot be mapped or copied (${error.message}); free space, or package the bundle again.",
                    error,
                )
            } catch (error: OutOfMemoryError) {
                throw BundleError(
                    "there is not enough memory to load variant '${variant.id}' (${error.message}).",
                    error,
                )
            }
        var session: Session? = null
        return try {
            Session(manifest.of(variant), variant, engine).also { session = it }
        } catch (error: OutOfMemoryError) {
            throw BundleError(
                "there is not enough memory for the tensors of variant '${variant.id}' (${error.message}).",
                error,
            )
        } finally {
            if (session == null) engine.close()
        }
    }

    private fun artifact(variant: Variant): Artifact {
        val mapped = files.map(variant.file)
        if (sha256(mapped) != variant.sha256) {
            throw BundleError(
                "${variant.file} of variant '${variant.id}' does not have the hash in the manifest; install the app again."
            )
        }
        return Artifact(mapped) { files.file(variant.file, variant.sha256) }
    }

    companion object {
        const val MANIFEST = "manifest.json"
    }
}
