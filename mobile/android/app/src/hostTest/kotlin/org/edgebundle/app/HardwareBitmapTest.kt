package org.edgebundle.app

import android.graphics.Bitmap
import org.edgebundle.sdk.readable
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * Bitmaps that live in the GPU's memory, whose pixels Android does not let one read or draw. Only Robolectric's older
 * graphics has them.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.LEGACY)
class HardwareBitmapTest {
    private val hardware = Bitmap.createBitmap(6, 4, Bitmap.Config.ARGB_8888).copy(Bitmap.Config.HARDWARE, false)

    @Test
    fun aCopyIsReadAndGivenBack() {
        assertEquals(Bitmap.Config.HARDWARE, hardware.config)
        lateinit var seen: Bitmap
        readable(hardware) {
            seen = it
            assertEquals(listOf(Bitmap.Config.ARGB_8888, 6, 4), listOf(it.config, it.width, it.height))
        }
        assertTrue(seen.isRecycled)
        assertFalse(hardware.isRecycled)
    }

    @Test
    fun theCopyIsGivenBackWhenTheWorkFails() {
        lateinit var seen: Bitmap
        assertThrows(IllegalStateException::class.java) {
            readable(hardware) {
                seen = it
                error("cancelled")
            }
        }
        assertTrue(seen.isRecycled)
    }
}
