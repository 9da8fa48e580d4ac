package org.edgebundle.sdk.core

import java.awt.image.BufferedImage
import java.io.File
import java.io.RandomAccessFile
import javax.imageio.ImageIO
import org.edgebundle.sdk.ENGINES
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A damaged bundle gives the next variant or a [BundleError]: never another exception, never a wrong picture. */
class DamageTest {
    @get:Rule val temporary = TemporaryFolder()
    private val original = File(TEST_DATA, "bundle")

    private class Copy(val root: File) {
        fun file(path: String) = File(root, path)

        fun manifest(change: JSONObject.() -> Unit) =
            file("manifest.json").run { writeText(JSONObject(readText()).apply(change).toString()) }

        /** Changes a file and its hash, as somebody who made the bundle wrongly would. */
        fun rewritten(path: String, bytes: ByteArray) {
            file(path).writeBytes(bytes)
            manifest { getJSONArray("files").each { if (getString("file") == path) put("sha256", sha256(bytes)) } }
        }

        fun JSONArray.each(change: JSONObject.() -> Unit) = (0 until length()).forEach { getJSONObject(it).change() }

        fun JSONObject.variant(number: Int = 0): JSONObject = getJSONArray("variants").getJSONObject(number)

        fun JSONObject.golden(): JSONObject = getJSONArray("goldens").getJSONObject(0)

        fun floats(path: String, count: Int, value: Float = 0.5f) {
            val bytes =
                java.nio.ByteBuffer.allocate(4 * count)
                    .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                    .apply { repeat(count) { putFloat(value) } }
                    .array()
            rewritten(path, bytes)
            manifest {
                golden().getJSONArray("expected").each {
                    getJSONArray("tensors").each { if (getString("file") == path) put("encoding", "f32") }
                }
            }
        }
    }

    private val damages: Map<String, Copy.() -> Unit> =
        mapOf(
            "a model cut in half" to { RandomAccessFile(file(FIRST), "rw").use { it.setLength(it.length() / 2) } },
            "an empty model" to { file(FIRST).writeBytes(ByteArray(0)) },
            "a model of zeros" to { file(FIRST).run { writeBytes(ByteArray(length().toInt())) } },
            "no model" to { file(FIRST).delete() },
            "a model that is a folder" to { file(FIRST).run { delete() && mkdir() } },
            "one bit of a model" to
                {
                    file(FIRST).run {
                        writeBytes(readBytes().also { it[it.size / 2] = (it[it.size / 2].toInt() xor 1).toByte() })
                    }
                },
            "a model of zeros with its hash" to
                {
                    file(FIRST).run { writeBytes(ByteArray(1000)) }
                    manifest { variant().put("sha256", sha256(ByteArray(1000))) }
                },
            "a golden picture cut in half" to
                {
                    file(PICTURE).run { writeBytes(readBytes().copyOf((length() / 2).toInt())) }
                },
            "no golden picture" to { file(PICTURE).delete() },
            "a golden of another size" to
                {
                    val small =
                        java.io.ByteArrayOutputStream().also {
                            ImageIO.write(BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "png", it)
                        }
                    rewritten(PICTURE, small.toByteArray())
                },
            "a golden that is no picture" to { rewritten(PICTURE, "no picture".toByteArray()) },
            "a golden input that is no picture" to { rewritten(INPUT, "no picture".toByteArray()) },
            "a golden cut to one value" to { floats(PICTURE, 1) },
            "a golden that is too long" to { floats(PICTURE, 1_000_000) },
            "a golden of the right length of no numbers" to { floats(PICTURE, 3 * 64 * 64, Float.NaN) },
            "a golden that expects nothing" to
                {
                    manifest { golden().getJSONArray("expected").each { put("tensors", JSONArray()) } }
                },
            "a golden without inputs" to { manifest { golden().put("inputs", JSONArray()) } },
            "a golden of an unknown output" to
                {
                    manifest {
                        golden().getJSONArray("expected").each { getJSONArray("tensors").each { put("name", "other") } }
                    }
                },
            "a golden that every picture passes" to
                {
                    manifest { golden().getJSONArray("expected").each { put("min_psnr_db", -500) } }
                },
            "no hashes of the goldens" to { manifest { put("files", JSONArray()) } },
            "a wrong hash of a golden" to { manifest { getJSONArray("files").each { put("sha256", "0".repeat(64)) } } },
            "no manifest" to { file("manifest.json").delete() },
            "a manifest cut in half" to
                {
                    file("manifest.json").run { writeText(readText().take((length() / 2).toInt())) }
                },
            "a manifest of zeros" to { file("manifest.json").run { writeBytes(ByteArray(1000)) } },
            "a manifest that is nested without end" to { file("manifest.json").writeText("[".repeat(100_000)) },
            "a path out of the bundle" to { manifest { variant().put("file", "../../../etc/passwd") } },
            "a shape below zero" to
                {
                    manifest {
                        variant().getJSONArray("inputs").each { put("shape", JSONArray(listOf(1, 3, -64, 64))) }
                    }
                },
            "a shape beyond all memory" to
                {
                    manifest {
                        getJSONArray("inputs").each {
                            put("shape", JSONArray(listOf(1, 3, 2_000_000_000, 2_000_000_000)))
                        }
                    }
                },
            "an index that no tensor has" to { manifest { variant().getJSONArray("inputs").each { put("index", 7) } } },
            "a binding of an unknown tensor" to
                {
                    manifest { variant().getJSONArray("inputs").each { put("name", "other") } }
                },
            "an unknown type" to { manifest { variant().getJSONArray("inputs").each { put("dtype", "complex64") } } },
            "a range of one number" to
                {
                    manifest { getJSONArray("inputs").each { put("range", JSONArray(listOf(1))) } }
                },
            "an empty range" to { manifest { getJSONArray("inputs").each { put("range", JSONArray(listOf(1, 1))) } } },
            "a deviation of zero" to
                {
                    manifest {
                        getJSONArray("inputs").each {
                            put("range", JSONObject.NULL)
                                .put("mean", JSONArray(listOf(0, 0, 0)))
                                .put("std", JSONArray(listOf(1, 0, 1)))
                        }
                    }
                },
            "no variants" to { manifest { put("variants", JSONArray()) } },
            "two variants of one name" to { manifest { variant(1).put("id", variant().getString("id")) } },
            "a newer schema" to { manifest { put("schema", 99) } },
        )

    @Test
    fun damageGivesTheNextVariantOrATypedError() {
        val outcomes =
            damages.map { (name, damage) ->
                val copy = Copy(temporary.newFolder())
                original.copyRecursively(copy.root, overwrite = true)
                copy.damage()
                name to outcome(name, copy.root)
            }
        assertTrue(outcomes.size >= 20)
        // Where the second variant is whole, it is taken.
        for (name in
            listOf(
                "a model cut in half",
                "no model",
                "one bit of a model",
                "a model of zeros with its hash",
            )) assertEquals(name, "tflite-second", outcomes.toMap()[name])
    }

    private fun outcome(name: String, root: File): String =
        try {
            val loader = ModelLoader(DirectoryBundle(root), IMAGE_IO, ENGINES)
            VariantOpener(loader, 1).first(loader.variants).session.use { session ->
                session.setPicture("image", IMAGE_IO.read(File(original, INPUT).inputStream()).argb)
                session.run()
                val wanted = IMAGE_IO.read(File(original, PICTURE).inputStream()).argb
                val argb = IntArray(wanted.size).also { session.readPicture("stylized", it) }
                val worst =
                    argb.indices.maxOf { at ->
                        (0..16 step 8).maxOf {
                            kotlin.math.abs((argb[at] shr it and 255) - (wanted[at] shr it and 255))
                        }
                    }
                if (worst > 2) fail("$name: a wrong picture, $worst of 255")
                session.variant.id
            }
        } catch (error: BundleError) {
            if (error.message.orEmpty().length !in 20..2000) fail("$name: ${error.message}")
            "refused"
        } catch (error: Exception) {
            throw AssertionError("$name: a raw $error", error)
        }

    private companion object {
        const val FIRST = "variants/first.tflite"
        const val PICTURE = "golden/0-stylized.png"
        const val INPUT = "golden/0-image.png"
    }
}
