package org.edgebundle.sdk.core

/**
 * What an installation remembers of its variants from one start to the next, as long as bundle, app and system stay the
 * same. Used by one thread at a time.
 */
interface VariantMemory {
    /** The delegate that executed [variant] when it passed its goldens here; `null` when it has not passed them yet. */
    fun passed(variant: Variant): TextReading?

    fun setPassed(variant: Variant, delegate: TextReading)

    /** How many starts in a row ended while they loaded [variant]: the marks of [mark] were never taken away. */
    fun deaths(variant: Variant): Int

    /** Says that [variant] is being loaded, once more. Returns when that is on the disk. */
    fun mark(variant: Variant)

    fun unmark(variant: Variant)
}

/** Remembers nothing: each start checks the goldens. */
object NoMemory : VariantMemory {
    override fun passed(variant: Variant): TextReading? = null

    override fun setPassed(variant: Variant, delegate: TextReading) = Unit

    override fun deaths(variant: Variant) = 0

    override fun mark(variant: Variant) = Unit

    override fun unmark(variant: Variant) = Unit
}
