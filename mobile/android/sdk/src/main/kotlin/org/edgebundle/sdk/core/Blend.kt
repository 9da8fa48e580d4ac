package org.edgebundle.sdk.core

/** Mixtures of pictures, pixel by pixel in 8-bit arithmetic; results are opaque. */
object Blend {
    private const val ONE = 256
    private const val OPAQUE = 0xff shl 24
    private const val ODD = 0xff00ff
    private const val EVEN = 0x00ff00

    /** [strength] 0..1 as the integer weight that [mix] takes. */
    fun weight(strength: Float): Int {
        require(strength in 0f..1f) { "a strength is between 0 and 1, not $strength" }
        return (strength * ONE + 0.5f).toInt()
    }

    /** One pixel: [weight] 0 gives [base], 256 gives [over]. Two channels are computed in one word. */
    fun pixel(base: Int, over: Int, weight: Int): Int {
        val rest = ONE - weight
        val odd = ((base and ODD) * rest + (over and ODD) * weight + 0x800080) ushr 8 and ODD
        val even = ((base and EVEN) ushr 8) * rest + ((over and EVEN) ushr 8) * weight + 0x80 and EVEN
        return OPAQUE or odd or even
    }

    /** [over] at [weight] onto [base], into [out], which may be either of them. All have the same size. */
    fun mix(base: IntArray, over: IntArray, weight: Int, out: IntArray) {
        require(base.size == over.size && base.size == out.size) {
            "pictures of ${base.size}, ${over.size} and ${out.size} pixels cannot be mixed"
        }
        for (i in out.indices) out[i] = pixel(base[i], over[i], weight)
    }
}
