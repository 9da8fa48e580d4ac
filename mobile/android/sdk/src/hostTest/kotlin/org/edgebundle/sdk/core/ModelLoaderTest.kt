package org.edgebundle.sdk.core

import java.io.File
import java.nio.ByteBuffer
import org.edgebundle.sdk.ENGINES
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Loading and running a real bundle with the real TensorFlow Lite, as a phone does it. */
class ModelLoaderTest {
    private val root = File(TEST_DATA, "bundle")

    private fun loader(change: (String, ByteArray) -> ByteArray = { _, bytes -> bytes }) =
        ModelLoader(DirectoryBundle(root, change), IMAGE_IO, ENGINES)

    private fun loaderOf(change: (JSONObject) -> Unit) = loader { path, bytes ->
        if (path == ModelLoader.MANIFEST) JSONObject(bytes.decodeToString()).also(change).toString().toByteArray()
        else bytes
    }

    private fun first(
        loader: ModelLoader,
        messages: MutableList<String> = ArrayList(),
        memory: VariantMemory = NoMemory,
    ): Session =
        VariantOpener(loader, 1, memory)
            .first(loader.variants)
            .also { opened -> messages += opened.tried.map { it.toString() } }
            .session

    @Test
    fun everyVariantGivesTheGoldenPicture() {
        val loader = loader()
        assertEquals(listOf("tflite-first", "tflite-second"), loader.variants.map { it.id })
        for (variant in loader.variants) {
            loader.load(variant, 2).use { session ->
                val result = loader.goldens.run(session, loader.manifest.goldens.single())
                assertTrue("${variant.id}: ${result.psnrDb} dB", result.passed && result.psnrDb > 45)
                assertTrue("${result.maxAbsError}", result.maxAbsError <= 1.5 / 255)
            }
        }
    }

    @Test
    fun theFirstVariantIsTaken() {
        val messages = ArrayList<String>()
        first(loader(), messages).use { assertEquals("tflite-first", it.variant.id) }
        assertEquals(emptyList<String>(), messages)
    }

    @Test
    fun aVariantThatFailsItsGoldenIsPassedOverInWords() {
        val messages = ArrayList<String>()
        val strict = loaderOf {
            it.getJSONArray("goldens")
                .getJSONObject(0)
                .getJSONArray("expected")
                .getJSONObject(0)
                .put("min_psnr_db", EQUAL_DB + 1)
        }
        first(strict, messages).use { assertEquals("tflite-second", it.variant.id) }
        assertTrue(messages.single(), "tflite-first" in messages.single() && "golden" in messages.single())
    }

    @Test
    fun variantsOfSeveralSizesHaveTheirOwnGoldensAndShapes() {
        val sized = loaderOf { manifest ->
            val goldens = manifest.getJSONArray("goldens")
            val other = JSONObject(goldens.getJSONObject(0).toString()).put("id", "of the second")
            other.getJSONArray("expected").remove(0)
            goldens.put(other)
            goldens.getJSONObject(0).getJSONArray("expected").remove(1)
            for (what in listOf("inputs", "outputs")) manifest
                .getJSONArray(what)
                .getJSONObject(0)
                .getJSONArray("shape")
                .put(2, 4096)
                .put(3, 4096)
        }
        for (variant in sized.variants) {
            sized.load(variant, 1).use { session ->
                val golden = session.manifest.goldens.single()
                assertTrue(golden.expected.any { it.variant == variant.id })
                assertTrue(sized.goldens.run(session, golden).passed)
                assertEquals(variant.inputs.first().logicalShape, session.manifest.inputs.first().shape)
            }
        }
        first(sized).use { assertEquals("tflite-first", it.variant.id) }
    }

    @Test
    fun aVariantThatPassedBeforeIsNotCheckedAgain() {
        val strict = loaderOf {
            it.getJSONArray("goldens")
                .getJSONObject(0)
                .getJSONArray("expected")
                .getJSONObject(0)
                .put("min_psnr_db", EQUAL_DB + 1)
        }
        val knowing =
            object : VariantMemory by NoMemory {
                override fun passed(variant: Variant) = TextReading.of("xnnpack")
            }
        first(strict, memory = knowing).use { assertEquals("tflite-first", it.variant.id) }
    }

    @Test
    fun aWrongHashIsFoundBeforeTheModelIsLoaded() {
        val messages = ArrayList<String>()
        val wrong = loaderOf { it.getJSONArray("variants").getJSONObject(0).put("sha256", "0".repeat(64)) }
        first(wrong, messages).use { assertEquals("tflite-second", it.variant.id) }
        assertTrue(messages.single(), "hash" in messages.single())
    }

    @Test
    fun aManifestThatDoesNotFitTheArtifactIsRefused() {
        val wrong = loaderOf {
            it.getJSONArray("variants")
                .getJSONObject(0)
                .getJSONArray("inputs")
                .getJSONObject(0)
                .getJSONArray("shape")
                .put(3, 32)
        }
        val message =
            assertThrows(BundleError::class.java) { wrong.load(wrong.manifest.variants[0], 1) }.message.orEmpty()
        assertTrue(message, "bytes but the manifest says" in message)
    }

    @Test
    fun aDamagedArtifactIsRefusedByTheRuntimeInWords() {
        val wrong = loaderOf {
            val variant = it.getJSONArray("variants").getJSONObject(0)
            variant
                .put("file", "golden/0-image.png")
                .put("sha256", sha256(File(root, "golden/0-image.png").readBytes()))
        }
        val message =
            assertThrows(BundleError::class.java) { wrong.load(wrong.manifest.variants[0], 1) }.message.orEmpty()
        assertTrue(message, "refuses variant 'tflite-first'" in message)
    }

    @Test
    fun whenNothingWorksTheReasonsWereSaid() {
        val messages = ArrayList<String>()
        val none = loaderOf { json ->
            (0..1).forEach { json.getJSONArray("variants").getJSONObject(it).put("sha256", "0".repeat(64)) }
        }
        val message = assertThrows(BundleError::class.java) { first(none, messages) }.message.orEmpty()
        for (id in listOf("tflite-first", "tflite-second")) assertTrue(
            message,
            "variant '$id' is passed over: " in message,
        )
    }

    @Test
    fun anAppWithoutABundleIsToldHowToGetOne() {
        val message =
            assertThrows(BundleError::class.java) {
                    ModelLoader(DirectoryBundle(File(root, "absent")), IMAGE_IO, ENGINES)
                }
                .message
                .orEmpty()
        assertTrue(message, "manifest.json" in message && "builder package" in message)
    }

    @Test
    fun aVariantOfAnotherRuntimeIsNotTaken() {
        val other = loaderOf { it.getJSONArray("variants").getJSONObject(0).put("backend", "executorch") }
        assertEquals(listOf("tflite-second"), other.variants.map { it.id })
        val message =
            assertThrows(BundleError::class.java) { other.load(other.manifest.variants[0], 1) }.message.orEmpty()
        assertTrue(message, "executorch" in message)
    }

    @Test
    fun aPhoneWithoutTheGpuLibraryTakesTheNextVariant() {
        val messages = ArrayList<String>()
        val gpu = loaderOf { it.getJSONArray("variants").getJSONObject(0).put("delegate", "gpu") }
        first(gpu, messages).use { assertEquals("tflite-second", it.variant.id) }
        assertTrue(messages.single(), "library of TensorFlow Lite for gpu is missing" in messages.single())
    }

    @Test
    fun aMissingLibraryIsSaidOfEachVariantThatNeedsIt() {
        val messages = ArrayList<String>()
        val gpu = loaderOf { json ->
            (0..1).forEach { json.getJSONArray("variants").getJSONObject(it).put("delegate", "gpu") }
        }
        val message = assertThrows(BundleError::class.java) { first(gpu, messages) }.message.orEmpty()
        assertEquals(message, 2, Regex("library of TensorFlow Lite for gpu is missing").findAll(message).count())
    }

    @Test
    fun aVariantThatFailsAtItsFirstPictureIsPassedOver() {
        val messages = ArrayList<String>()
        val real = ENGINES.getValue("tflite-xnnpack")
        val weak =
            mapOf(
                "tflite-xnnpack" to
                    EngineFactory { variant, artifact, threads, log ->
                        val engine = real.open(variant, artifact, threads, log)
                        if (variant.id != "tflite-first") engine
                        else
                            object : Engine by engine {
                                // A tensor too few makes the real interpreter give up as a delegate does that finds no
                                // memory.
                                override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) =
                                    engine.run(emptyArray(), outputs)
                            }
                    }
            )
        first(ModelLoader(DirectoryBundle(root), IMAGE_IO, weak), messages).use {
            assertEquals("tflite-second", it.variant.id)
        }
        assertTrue(messages.single(), "cannot run variant 'tflite-first'" in messages.single())
    }

    @Test
    fun aTruncatedAssetIsNoticed() {
        val messages = ArrayList<String>()
        val cut =
            object : BundleFiles by DirectoryBundle(root) {
                override fun map(path: String): ByteBuffer =
                    DirectoryBundle(root).map(path).apply { limit(capacity() / 2) }.slice()
            }
        val loader = ModelLoader(cut, IMAGE_IO, ENGINES)
        val message = assertThrows(BundleError::class.java) { first(loader, messages) }.message.orEmpty()
        assertTrue(message, "does not have the hash" in message)
    }

    @Test
    fun tooLittleMemoryForAVariantIsSaidAndTheNextIsTaken() {
        val messages = ArrayList<String>()
        val real = ENGINES.getValue("tflite-xnnpack")
        val tight =
            mapOf(
                "tflite-xnnpack" to
                    EngineFactory { variant, artifact, threads, log ->
                        if (variant.id == "tflite-first") throw OutOfMemoryError("1234 bytes")
                        real.open(variant, artifact, threads, log)
                    }
            )
        first(ModelLoader(DirectoryBundle(root), IMAGE_IO, tight), messages).use {
            assertEquals("tflite-second", it.variant.id)
        }
        assertTrue(messages.single(), "not enough memory to load variant 'tflite-first'" in messages.single())
    }
}
