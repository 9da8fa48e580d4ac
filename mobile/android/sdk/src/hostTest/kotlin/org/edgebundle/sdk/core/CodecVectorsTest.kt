package org.edgebundle.sdk.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The Kotlin arithmetic against vectors that builder/bundle/tensors.py computed: equal bits, not nearly equal values. */
class CodecVectorsTest {
    private val cases = File(TEST_DATA, "vectors").listFiles { file -> file.extension == "json" }.orEmpty().sorted()

    private fun JSONArray.ints() = IntArray(length(), ::getInt)

    @Test
    fun picturesBecomeTheSameTensorsAsInPython() = each { codec, case ->
        val wanted = case.getJSONArray("tensor_bits").ints()
        val target = ByteBuffer.allocateDirect(4 * wanted.size).order(ByteOrder.nativeOrder())
        codec.encode(case.getJSONArray("pixels").ints(), target.asFloatBuffer())
        assertArrayEquals(wanted, IntArray(wanted.size) { target.getInt(4 * it) })
    }

    @Test
    fun tensorsBecomeTheSamePicturesAsInPython() = each { codec, case ->
        val bits = case.getJSONArray("output_bits").ints()
        val source = ByteBuffer.allocateDirect(4 * bits.size).order(ByteOrder.nativeOrder())
        bits.forEachIndexed { i, word -> source.putInt(4 * i, word) }
        val argb = IntArray(bits.size / 3)
        codec.decode(source.asFloatBuffer(), argb)
        assertArrayEquals(case.getJSONArray("output_pixels").ints(), argb)
    }

    private fun each(check: (PictureCodec, JSONObject) -> Unit) {
        assertTrue("no vectors in $TEST_DATA", cases.size >= 4)
        for (file in cases) {
            val case = JSONObject(file.readText())
            val manifest = ManifestReader.read(case.getJSONObject("manifest").toString())
            check(PictureCodec(manifest.inputs.single(), manifest.variants.single().inputs.single()), case)
        }
    }
}
