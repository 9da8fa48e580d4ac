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
    val goldens = GoldenCheck(files, pictures)

    /** The variants that this app has an engine for, in order of preference. */
    val variants get() = manifest.variants.filter { engineKey(it) in engines }

    /** The variants that this app has an engine for, in the order in which this device tries them. */
    fun choose(facts: DeviceFacts): VariantChoice = chooseVariants(manifest, engines.keys, facts)

    /** Loads one variant without running it. Throws [BundleException] naming it and the reason. */
    fun load(variant: Variant, threads: Int): Session {
        val factory = engines[engineKey(variant)]
            ?: throw BundleException("variant '${variant.id}' needs ${variant.backend} with ${variant.delegate}, which this app does not carry.")
        val engine = try {
            factory.open(variant, artifact(variant), threads, log)
        } catch (error: IOException) {
            throw BundleException("${variant.file} of variant '${variant.id}' cannot be mapped or copied (${error.message}); free space, or package the bundle again.", error)
        } catch (error: OutOfMemoryError) {
            throw BundleException("there is not enough memory to load variant '${variant.id}' (${error.message}).", error)
        }
        return try {
            Session(manifest.of(variant), variant, engine)
        } catch (error: BundleException) {
            engine.close()
            throw error
        } catch (error: OutOfMemoryError) {
            engine.close()
            throw BundleException("there is not enough memory for the tensors of variant '${variant.id}' (${error.message}).", error)
        }
    }

    /**
     * Loads and warms up the first of [order] that works, telling [report] why each earlier one does not.
     *
     * [verified] says that a variant has passed its goldens on this device before, [passed] is told when one does.
     */
    fun loadFirst(order: List<Variant>, threads: Int, verified: (Session) -> Boolean, passed: (Session) -> Unit, report: (String) -> Unit): Session {
        for (variant in order) {
            try {
                val session = load(variant, threads)
                val problem = problem(session, verified(session))
                if (problem == null) return session.also(passed)
                session.close()
                report(problem)
            } catch (error: BundleException) {
                report("${error.message.orEmpty()} The next variant is tried.")
            }
        }
        throw BundleException("no variant of the bundle works on this device; it has ${manifest.variants.joinToString { it.id }}, see the earlier messages.")
    }

    private fun artifact(variant: Variant): Artifact {
        val mapped = files.map(variant.file)
        if (sha256(mapped) != variant.sha256) {
            throw BundleException("${variant.file} of variant '${variant.id}' does not have the hash in the manifest; install the app again.")
        }
        return Artifact(mapped) { files.file(variant.file, variant.sha256) }
    }

    /** Why a loaded variant may not be used, found by running it; a run also warms it up. */
    private fun problem(session: Session, verified: Boolean): String? = try {
        if (verified) {
            session.run()
            null
        } else {
            session.manifest.goldens.map { goldens.run(session, it) }.firstOrNull { !it.passed }
                ?.let { "variant '${session.variant.id}' fails golden '${it.id}' (${it.inWords}); the next variant is tried." }
        }
    } catch (error: BundleException) {
        session.close()
        throw error
    } catch (error: OutOfMemoryError) {
        "there is not enough memory to run variant '${session.variant.id}' (${error.message}); the next variant is tried."
    }

    companion object {
        const val MANIFEST = "manifest.json"
    }
}
