package org.edgebundle.sdk

import android.graphics.Bitmap

/**
 * Is told how far a large picture is: [report] gets the number of finished tiles and of all tiles, on the thread that
 * renders.
 */
fun interface TileProgress {
    fun report(done: Int, tiles: Int)

    companion object {
        /** Tells nobody. */
        @JvmField val NONE = TileProgress { _, _ -> }
    }
}

/**
 * Is told the end of a call: a picture, or the error that ended it; the other is `null`. A cancelled call ends by a
 * `CancellationException`.
 */
fun interface PictureCallback {
    fun done(picture: Bitmap?, error: Throwable?)
}
