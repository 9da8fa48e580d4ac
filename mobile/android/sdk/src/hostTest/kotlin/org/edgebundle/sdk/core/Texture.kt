package org.edgebundle.sdk.core

import org.json.JSONObject

/** The frames of docs/formats/vectors/carrying.json, which tells how they are made. */
internal object Texture {
    fun frame(height: Int, width: Int, step: JSONObject): IntArray {
        val origin = step.getJSONArray("origin")
        val patch = List(6) { step.getJSONArray("patch").getInt(it) }
        val frame = IntArray(height * width) { pixel(origin.getInt(0) + it / width, origin.getInt(1) + it % width) }
        val (top, left, high, wide) = patch
        for (y in 0 until high) for (x in 0 until wide) {
            if (top + y < height && left + x < width)
                frame[(top + y) * width + left + x] = pixel(patch[4] + y, patch[5] + x)
        }
        if (step.getBoolean("inverted")) for (i in frame.indices) frame[i] = frame[i] xor 0xffffff
        return frame
    }

    /** Opaque, red above green above blue. */
    fun pixel(y: Int, x: Int): Int =
        (0 until 3).fold(0xff000000.toInt()) { argb, c -> argb or (value(y, x, c) shl 16 - 8 * c) }

    private fun value(y: Int, x: Int, c: Int): Int {
        val i = y shr 3
        val j = x shr 3
        val upper = hash(i, j, c) * (8 - (x and 7)) + hash(i, j + 1, c) * (x and 7)
        val lower = hash(i + 1, j, c) * (8 - (x and 7)) + hash(i + 1, j + 1, c) * (x and 7)
        val smooth = (upper * (8 - (y and 7)) + lower * (y and 7)) shr 6
        return (smooth * 240 shr 8) + (hash(y, x, c + 3) shr 4)
    }

    private fun hash(i: Int, j: Int, k: Int): Int =
        ((7919 * i + 104729 * j + 1299709 * k) * 2654435761L.toInt()) ushr 24
}
