package org.edgebundle.sdk.core

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ManifestReaderTest {
    private val text =
        """
        {"schema": 1, "model": {"name": "small", "version": "1", "licence": "MIT", "checkpoint_sha256": "00"},
         "inputs": [{"name": "image", "kind": "image", "shape": [1, 3, 4, 6], "dtype": "float32", "color_order": "BGR",
                     "range": null, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1], "resize": "center_crop", "labels": null}],
         "outputs": [{"name": "class", "kind": "tensor", "shape": [1, 2], "dtype": "float32", "color_order": null,
                      "range": null, "mean": null, "std": null, "resize": null, "labels": ["cat", "dog"]}],
         "variants": [{"id": "v", "backend": "tflite", "delegate": "xnnpack", "file": "variants/v.tflite", "bytes": 3, "sha256": "ab",
                       "inputs": [{"name": "image", "index": 0, "layout": "NHWC", "shape": [1, 4, 6, 3], "dtype": "float32"}],
                       "outputs": [{"name": "class", "index": 0, "layout": "plain", "shape": [1, 2], "dtype": "float32"}]}],
         "goldens": [{"id": "0", "inputs": [{"name": "image", "file": "golden/0.png", "encoding": "png"}],
                      "expected": [{"variant": "v", "tensors": [], "min_psnr_db": 40}]}]}
    """
            .trimIndent()

    private fun changed(change: (JSONObject) -> Unit) = JSONObject(text).also(change).toString()

    private fun problem(text: String) =
        assertThrows(BundleError::class.java) { ManifestReader.read(text) }.message.orEmpty()

    @Test
    fun everyFieldTheAppUsesIsRead() {
        val manifest = ManifestReader.read(text)
        val input = manifest.inputs.single()
        assertEquals("small", manifest.modelName)
        assertEquals(listOf(1, 3, 4, 6), input.shape)
        assertTrue(input.bgr)
        assertEquals(listOf(0.5, 0.4, 0.3), input.mean)
        assertEquals(null, input.range)
        assertEquals("center_crop", input.resize)
        assertEquals(listOf("cat", "dog"), manifest.outputs.single().labels)
        assertEquals("NHWC", manifest.variants.single().inputs.single().layout)
        assertEquals(40.0, manifest.goldens.single().expected.single().minPsnrDb, 0.0)
    }

    @Test
    fun aNewerSchemaAsksForANewerApp() {
        val message = problem(changed { it.put("schema", 2) })
        assertTrue(message, "schema 2" in message && "update" in message)
    }

    @Test
    fun aMissingFieldIsNamed() {
        val message = problem(changed { it.getJSONArray("variants").getJSONObject(0).remove("sha256") })
        assertTrue(message, "sha256" in message)
    }

    @Test
    fun textThatIsNoJsonIsAnError() {
        assertTrue("not a valid manifest" in problem("{"))
    }

    @Test
    fun aPathThatLeavesTheBundleIsRefused() {
        for (path in listOf("../v.tflite", "/v.tflite", "variants/../../v", "variants\\v", "c:v", "")) {
            val message = problem(changed { it.getJSONArray("variants").getJSONObject(0).put("file", path) })
            assertTrue(message, "not a path inside the bundle" in message)
        }
    }

    @Test
    fun anUnknownVariantNamesTheKnownOnes() {
        val message = assertThrows(BundleError::class.java) { ManifestReader.read(text).variant("w") }.message.orEmpty()
        assertTrue(message, "'w'" in message && "it has v" in message)
    }
}
