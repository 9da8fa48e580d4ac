package org.edgebundle.sdk.core

import java.io.IOException

/** Opens variants of a bundle: hash verified, artifact mapped, loaded in its engine, golden checked. */
class ModelLoader(private val files: BundleFiles, pictures: PictureReader, private val engines: Map<String, EngineFactory>) {
    private val manifestBytes = files.bytes(MANIFEST)

    /** Identity of the bundle: the hash of its manifest. */
    val bundleSha256 = sha256(manifestBytes)
    val manifest = ManifestReader.read(manifestBytes.decodeToString())
    val goldens = GoldenCheck(files, pictures)

    /** The variants that this app has an engine for, in order of preference. */
    val variants get() = manifest.variants.filter { engineKey(it) in engines }

    /** Loads one variant without running it. Throws [BundleException] naming it and the reason. */
    fun load(variant: Variant, threads: Int): Session {
        val engine = engines[engineKey(variant)]
            ?: throw BundleException("variant '${variant.id}' needs ${variant.backend} with ${variant.delegate}, which this app does not carry.")
        val artifact = try {
            files.map(variant.file)
        } catch (error: IOException) {
            throw BundleException("${variant.file} of variant '${variant.id}' cannot be mapped (${error.message}); package the bundle again.", error)
        }
        if (sha256(artifact) != variant.sha256) {
            throw BundleException("${variant.file} of variant '${variant.id}' does not have the hash in the manifest; install the app again.")
        }
        val opened = engine.open(variant, artifact, threads)
        return try {
            Session(manifest, variant, opened)
        } catch (error: BundleException) {
            opened.close()
            throw error
        }
    }

    /**
     * Loads the first variant that works, telling [report] why each earlier one does not.
     *
     * [verified] says that a variant has passed its goldens on this device before, [passed] is told when one does.
     */
    fun loadFirst(threads: Int, verified: (Session) -> Boolean, passed: (Session) -> Unit, report: (String) -> Unit): Session {
        for (variant in variants) {
            try {
                val session = load(variant, threads)
                val problem = if (verified(session)) null else goldenProblem(session)
                if (problem == null) return session.also(passed)
                session.close()
                report(problem)
            } catch (error: BundleException) {
                report(error.message.orEmpty())
            }
        }
        throw BundleException("no variant of the bundle works on this device; it has ${manifest.variants.joinToString { it.id }}, see the earlier messages.")
    }

    private fun goldenProblem(session: Session): String? = manifest.goldens
        .map { goldens.run(session, it) }
        .firstOrNull { !it.passed }
        ?.let { "variant '${session.variant.id}' fails golden '${it.id}' (${it.inWords}); the next variant is tried." }

    companion object {
        const val MANIFEST = "manifest.json"
    }
}
