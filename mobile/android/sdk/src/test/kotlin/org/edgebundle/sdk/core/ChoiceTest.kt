package org.edgebundle.sdk.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ChoiceTest {
    private fun variant(id: String, delegate: String = "xnnpack", backend: String = "tflite", memory: Long = 10) =
        Variant(id, backend, delegate, "variants/$id", 1, "00", emptyList(), emptyList(), memory)

    private fun manifest(variants: List<Variant>, rankings: List<Ranking> = emptyList()) =
        Manifest("m", emptyList(), emptyList(), variants, emptyList(), rankings)

    private val engines = setOf("tflite-xnnpack", "tflite-gpu")
    private val unknown = DeviceFacts(Phone(), null)

    private fun order(choice: VariantChoice) = choice.order.map { it.id }

    @Test
    fun theOrderOfTheManifestIsTaken() {
        val all = manifest(listOf(variant("gpu", "gpu"), variant("et", backend = "executorch"), variant("cpu")))
        assertEquals(listOf("gpu", "cpu"), order(chooseVariants(all, engines, unknown)))
        assertEquals(listOf("cpu"), order(chooseVariants(all, setOf("tflite-xnnpack"), unknown)))
    }

    @Test
    fun aRankingMeasuredOnSuchADeviceGoesBefore() {
        val all = listOf(variant("a"), variant("b"), variant("c"))
        val rankings =
            listOf(
                Ranking("Maker X1", null, listOf("c", "a")),
                Ranking(null, "Maker Phone", listOf("b", "a", "c")),
                Ranking(null, null, listOf("c")),
            )
        assertEquals(
            listOf("c", "a", "b"),
            order(
                chooseVariants(
                    manifest(all, rankings),
                    engines,
                    DeviceFacts(Phone(soc = "Maker X1", model = "other"), null),
                )
            ),
        )
        assertEquals(
            listOf("b", "a", "c"),
            order(
                chooseVariants(
                    manifest(all, rankings),
                    engines,
                    DeviceFacts(Phone(soc = "X2", model = "Maker Phone"), null),
                )
            ),
        )
        assertEquals(listOf("a", "b", "c"), order(chooseVariants(manifest(all, rankings), engines, unknown)))
    }

    @Test
    fun whatDoesNotFitTheMemoryComesLastAndIsNamed() {
        val all =
            manifest(
                listOf(
                    variant("huge", memory = 900_000_000),
                    variant("large", memory = 500_000_000),
                    variant("small", memory = 50_000_000),
                )
            )
        val choice = chooseVariants(all, engines, DeviceFacts(Phone(), 100_000_000))
        assertEquals(listOf("small", "large", "huge"), order(choice))
        assertTrue(
            choice.messages.toString(),
            "'huge' needs 900 MB" in choice.messages[0] && "100 MB are free" in choice.messages[0],
        )
    }

    @Test
    fun theRankingsOfAManifestAreRead() {
        val text =
            """{"schema": 1, "model": {"name": "m"}, "inputs": [], "outputs": [], "goldens": [], "variants": [],
            "rankings": [{"soc": "Maker X1", "model": null, "variants": ["b", "a"], "phones": [{"soc": null, "board": "x1", "hardware": null, "model": null}]}]}"""
        val ranking = ManifestReader.read(text).rankings.single()
        assertEquals(
            listOf("Maker X1", null, listOf("b", "a"), listOf("x1")),
            listOf(ranking.soc, ranking.model, ranking.variants, ranking.phones.map { it.board }),
        )
    }

    @Test
    fun theRuntimesLogTellsTheDelegate() {
        fun read(vararg lines: String) = DelegateReport.read(lines.toList())
        val line =
            "Replacing 12 out of 14 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions for the whole graph."
        assertEquals("xnnpack", read("I/tflite: Created TensorFlow Lite XNNPACK delegate for CPU.", line).value)
        assertEquals("gpu", read(line, line.replace("TfLiteXNNPackDelegate", "TfLiteGpuDelegateV2")).value)
        assertEquals("cpu", read(line.replace("12", "0")).value)
        assertTrue(read("Initialized TensorFlow Lite runtime.").reason.orEmpty().isNotEmpty())
    }

    @Test
    fun mixturesAreExactAtTheirEnds() {
        val (base, over) =
            intArrayOf(0xff102030.toInt(), 0xffff00ff.toInt()) to intArrayOf(0xffa0b0c0.toInt(), 0xff00ff00.toInt())
        val out = IntArray(2)
        Blend.mix(base, over, Blend.weight(0f), out)
        assertEquals(base.toList(), out.toList())
        Blend.mix(base, over, Blend.weight(1f), out)
        assertEquals(over.toList(), out.toList())
        Blend.mix(base, over, Blend.weight(0.5f), out)
        assertEquals(0xff586878.toInt(), out[0])
        assertThrows(IllegalArgumentException::class.java) { Blend.weight(-0.1f) }
        assertThrows(IllegalArgumentException::class.java) { Blend.mix(base, over, 1, IntArray(1)) }
    }
}
