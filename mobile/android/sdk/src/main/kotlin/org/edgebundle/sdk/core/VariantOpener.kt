package org.edgebundle.sdk.core

/** A variant that was passed over, and why, in one sentence. */
class Tried(val variant: String, val reason: String) {
    override fun toString() = "variant '$variant' is passed over: $reason"
}

/**
 * The variant that works, those that were passed over before it, and which delegate executes it as far as that is
 * known.
 */
class Opened(val session: Session, val tried: List<Tried>, val delegate: TextReading, val notes: List<String>)

/**
 * Opens the first variant that works here: hash, load, delegate, goldens. Whatever one of them throws leads to the next
 * (docs/sdk-rules.md, "What was tried"). One call at a time.
 */
class VariantOpener(
    private val loader: ModelLoader,
    private val threads: Int,
    private val memory: VariantMemory = NoMemory,
) {
    private val known = loader.manifest.goldens.flatMap { golden -> golden.expected.map { it.variant } }.toSet()

    /** Tries [order]. Throws [BundleError] that names each variant with its reason when none works. */
    fun first(order: List<Variant>): Opened {
        val tried = ArrayList<Tried>()
        // What ended the app before comes last: it may have been the user who ended it, and a bundle may have nothing
        // else.
        val (died, alive) = order.partition { it.isAccelerated && memory.deaths(it) > 0 }
        died.mapTo(tried) { Tried(it.id, DIED) }
        for (variant in alive + died.filter { memory.deaths(it) < MOST_DEATHS }) {
            tried.removeAll { it.variant == variant.id }
            try {
                return opened(variant, tried)
            } catch (error: BundleError) {
                tried += Tried(variant.id, error.message.orEmpty())
            } catch (error: OutOfMemoryError) {
                tried += Tried(variant.id, "there is not enough memory for it (${error.message}).")
            } catch (error: LinkageError) {
                tried += Tried(variant.id, "a library that it needs is missing or does not fit (${error.message}).")
            } catch (
                error:
                    RuntimeException) { // an engine's own bugs are of any kind, and the next variant may be of another
                // engine
                tried += Tried(variant.id, "it fails in a way that nobody foresaw ($error).")
            }
        }
        val reasons =
            tried
                .joinToString("") { " $it" }
                .ifEmpty {
                    " It has ${loader.manifest.variants.joinToString { it.id }.ifEmpty { "none" }}, and this app carries other runtimes."
                }
        throw BundleError("no variant of the bundle works on this device.$reasons")
    }

    private fun opened(variant: Variant, tried: List<Tried>): Opened {
        if (!variant.isAccelerated) return checked(variant, tried)
        memory.mark(variant)
        try {
            return checked(variant, tried)
        } finally {
            memory.unmark(variant)
        }
    }

    private fun checked(variant: Variant, tried: List<Tried>): Opened {
        if (variant.id !in known && known.isNotEmpty())
            throw BundleError(
                "no golden of the bundle speaks of it, so nobody knows whether it is right here; package the bundle again."
            )
        val before = memory.passed(variant)
        // Its log is read once, and only where the answer decides something.
        val session = loader.load(variant, threads, readLog = before == null && variant.isAccelerated)
        var works = false
        try {
            val executed = session.delegateExecuted.value
            if (variant.isAccelerated && executed != null && executed != variant.delegate)
                throw BundleError("its runtime says that $executed executes it, and ${variant.delegate} was asked for.")
            if (before == null) check(session)
            else session.run() // a run warms it up, and a delegate may fail as late as here
            val delegate =
                if (session.delegateExecuted.value != null || before == null) session.delegateExecuted else before
            if (before == null && known.isNotEmpty()) memory.setPassed(variant, delegate)
            works = true
            return Opened(session, tried, delegate, notes())
        } finally {
            if (!works) session.close()
        }
    }

    private fun check(session: Session) {
        if (session.manifest.goldens.isEmpty()) return session.run()
        for (golden in session.manifest.goldens) {
            val result = loader.goldens.run(session, golden)
            if (!result.passed) throw BundleError("it fails golden '${golden.id}' (${result.inWords}).")
        }
    }

    private fun notes() =
        if (known.isEmpty()) listOf("the bundle carries no golden, so nothing was checked on this device.")
        else emptyList()

    private companion object {
        /** So many starts in a row that end the app are not the user's doing. */
        const val MOST_DEATHS = 3
        const val DIED =
            "the app ended while it was loaded at an earlier start; it is tried again when no other one works, or after an update."
    }
}
