package org.edgebundle.sdk.core

/**
 * Styles the frames between two runs of the network: what the network changed in the last key frame is added to the
 * present frame, less where the present frame differs from the key frame, so that what moves does not leave a ghost.
 *
 * Works at 1/divisor of the key frame's size. Nothing is allocated per frame; used by one thread.
 */
class FrameMixer(private val width: Int, private val height: Int) {
    private val before = IntArray(width * height)
    private val after = IntArray(width * height)

    /** Keeps a key frame and what the network made of it; both of the full size. */
    fun key(frame: IntArray, styled: IntArray) {
        frame.copyInto(before)
        styled.copyInto(after)
    }

    /** The size of pictures at a divisor. */
    fun widthAt(divisor: Int) = maxOf(1, width / divisor)

    fun heightAt(divisor: Int) = maxOf(1, height / divisor)

    /** The styled picture of [frame] at a divisor into [out]; both hold widthAt x heightAt pixels from their start. */
    fun mix(frame: IntArray, divisor: Int, out: IntArray) {
        val columns = widthAt(divisor)
        var at = 0
        for (y in 0 until heightAt(divisor)) {
            var key = y * divisor * width
            repeat(columns) {
                out[at] = pixel(frame[at], before[key], after[key])
                at++
                key += divisor
            }
        }
    }

    /** The last key frame's styled picture at a divisor into [out]. */
    fun keyAt(divisor: Int, out: IntArray) {
        val columns = widthAt(divisor)
        var at = 0
        for (y in 0 until heightAt(divisor)) for (x in 0 until columns) out[at++] =
            after[y * divisor * width + x * divisor]
    }

    private fun pixel(now: Int, was: Int, styled: Int): Int {
        val moved = difference(now, was, 16) + difference(now, was, 8) + difference(now, was, 0)
        val weight = if (moved >= STRANGE) 0 else STRANGE - moved
        return OPAQUE or
            channel(now, was, styled, weight, 16) or
            channel(now, was, styled, weight, 8) or
            channel(now, was, styled, weight, 0)
    }

    private fun difference(now: Int, was: Int, shift: Int): Int {
        val difference = (now shr shift and BYTE) - (was shr shift and BYTE)
        return if (difference < 0) -difference else difference
    }

    private fun channel(now: Int, was: Int, styled: Int, weight: Int, shift: Int): Int {
        val change = (styled shr shift and BYTE) - (was shr shift and BYTE)
        val value = (now shr shift and BYTE) + change * weight / STRANGE
        return (if (value < 0) 0 else if (value > BYTE) BYTE else value) shl shift
    }

    private companion object {
        /** Sum of the three channels' differences from which on a pixel shows something else than in the key frame. */
        const val STRANGE = 192
        const val BYTE = 0xff
        const val OPAQUE = 0xff shl 24
    }
}
