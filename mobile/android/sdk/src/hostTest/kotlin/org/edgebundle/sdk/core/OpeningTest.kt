package org.edgebundle.sdk.core

import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.CountDownLatch
import org.edgebundle.sdk.ENGINES
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * What leads from one variant to the next, with the real TensorFlow Lite; the GPU is a stand-in that runs it, for no
 * desktop has one.
 */
class OpeningTest {
    private val root = File(TEST_DATA, "bundle")
    private val cpu = ENGINES.getValue("tflite-xnnpack")

    /** The bundle whose first variant is for a GPU. */
    private fun loader(
        vararg engines: Pair<String, EngineFactory>,
        gpu: Boolean = true,
        change: (JSONObject) -> Unit = {},
    ) =
        ModelLoader(
            DirectoryBundle(root) { path, bytes ->
                if (path != ModelLoader.MANIFEST) return@DirectoryBundle bytes
                JSONObject(bytes.decodeToString())
                    .apply {
                        if (gpu) getJSONArray("variants").getJSONObject(0).put("delegate", "gpu")
                        change(this)
                    }
                    .toString()
                    .toByteArray()
            },
            IMAGE_IO,
            ENGINES + engines,
        )

    private fun opened(loader: ModelLoader, memory: VariantMemory = NoMemory) =
        VariantOpener(loader, 1, memory).first(loader.variants)

    private fun gpu(says: String, onOpen: () -> Unit = {}) =
        "tflite-gpu" to
            EngineFactory { variant, artifact, threads, log ->
                onOpen()
                val engine = cpu.open(variant, artifact, threads, log)
                object : Engine by engine {
                    override val delegateExecuted = TextReading.of(says)
                }
            }

    private class Remembered : VariantMemory {
        val marks = HashMap<String, Int>()
        val passes = HashMap<String, TextReading>()

        override fun passed(variant: Variant) = passes[variant.id]

        override fun setPassed(variant: Variant, delegate: TextReading) = passes.set(variant.id, delegate)

        override fun deaths(variant: Variant) = marks[variant.id] ?: 0

        override fun mark(variant: Variant) {
            marks[variant.id] = deaths(variant) + 1
        }

        override fun unmark(variant: Variant) {
            marks.remove(variant.id)
        }
    }

    @Test
    fun aGpuVariantThatTheCpuExecutesIsPassedOver() =
        opened(loader(gpu("cpu"))).let {
            it.session.close()
            assertEquals("tflite-second" to "tflite-first", it.session.variant.id to it.tried.single().variant)
            assertTrue(it.tried.single().reason, "cpu executes it, and gpu was asked for" in it.tried.single().reason)
        }

    @Test
    fun aGpuVariantThatTheGpuExecutesIsTaken() =
        opened(loader(gpu("gpu"))).let {
            it.session.close()
            assertEquals(
                listOf("tflite-first", "gpu", 0),
                listOf(it.session.variant.id, it.delegate.value, it.tried.size),
            )
        }

    @Test
    fun aVariantThatTookTheAppDownIsPassedOverAtTheNextStart() {
        val memory = Remembered()
        // What a crash leaves: the mark was set when the driver took the process down.
        val died = gpu("gpu") { throw ThreadDeath() }
        val first = loader(died)
        try {
            VariantOpener(
                    first,
                    1,
                    object : VariantMemory by memory {
                        override fun unmark(variant: Variant) = Unit // nobody lives to take it away
                    },
                )
                .first(first.variants)
        } catch (_: ThreadDeath) {
            assertEquals(mapOf("tflite-first" to 1), memory.marks)
        }
        opened(loader(died), memory).let {
            it.session.close()
            assertEquals("tflite-second", it.session.variant.id)
            assertTrue(it.tried.single().reason, "the app ended while it was loaded" in it.tried.single().reason)
        }
    }

    @Test
    fun whatTheUserEndedIsTriedAgainWhereNothingElseWorks() {
        val memory = Remembered().apply { marks["tflite-first"] = 2 }
        val loader = loader(gpu("gpu"))
        val only = loader.variants.filter { it.id == "tflite-first" }
        VariantOpener(loader, 1, memory).first(only).let {
            it.session.close()
            assertEquals("tflite-first" to 0, it.session.variant.id to it.tried.size)
        }
        assertTrue(memory.marks.isEmpty())
        memory.marks["tflite-first"] = 3
        val error = assertThrows(BundleError::class.java) { VariantOpener(loader, 1, memory).first(only) }
        assertTrue(error.message, "the app ended while it was loaded" in error.message.orEmpty())
    }

    @Test
    fun theMarkGoesWhenAVariantWorksAndWhenItIsRefused() {
        val memory = Remembered()
        var marked = false
        opened(loader(gpu("gpu") { marked = memory.marks.isNotEmpty() }), memory).session.close()
        assertTrue(marked && memory.marks.isEmpty())
        opened(loader(gpu("gpu") { error("no driver") }), memory).session.close()
        assertTrue(memory.marks.isEmpty())
    }

    @Test
    fun theLogIsReadOnceAndOnlyForAnAcceleratedVariant() {
        var reads = 0
        val log =
            object : RuntimeLog {
                override fun mark() = ""

                override fun since(mark: String) =
                    listOf("Replacing 2 out of 2 node(s) with delegate (TfLiteGpuDelegateV2) node").also { reads++ }
            }
        val engine = EngineFactory { variant, artifact, threads, given ->
            val inner = cpu.open(variant, artifact, threads, NoRuntimeLog)
            val (_, said) = given.during {}
            object : Engine by inner {
                override val delegateExecuted = said
            }
        }
        val memory = Remembered()
        fun open(key: String, isGpu: Boolean) =
            ModelLoader(
                    DirectoryBundle(root) { path, bytes ->
                        if (path == ModelLoader.MANIFEST && isGpu)
                            JSONObject(bytes.decodeToString())
                                .apply { getJSONArray("variants").getJSONObject(0).put("delegate", "gpu") }
                                .toString()
                                .toByteArray()
                        else bytes
                    },
                    IMAGE_IO,
                    mapOf(key to engine),
                    log,
                )
                .let { opened(it, memory) }
                .also { it.session.close() }
        assertEquals("gpu", open("tflite-gpu", true).delegate.value)
        assertEquals(1, reads)
        assertEquals("what was read is remembered", "gpu", open("tflite-gpu", true).delegate.value)
        memory.passes.clear()
        open("tflite-xnnpack", false)
        assertEquals(1, reads)
    }

    @Test
    fun whateverAnEngineThrowsTheNextVariantIsTried() {
        val kinds =
            listOf(
                { throw IllegalStateException("a state") },
                { throw ArrayIndexOutOfBoundsException(7) },
                { throw NullPointerException() },
                { throw OutOfMemoryError("memory") },
                { throw UnsatisfiedLinkError("libx.so") },
                { throw BundleError("refused") },
                { throw java.nio.BufferOverflowException() },
                { throw NegativeArraySizeException("-1") },
            )
        for (kind in kinds) {
            opened(loader(gpu("gpu") { kind() })).let {
                it.session.close()
                assertEquals("tflite-second" to "tflite-first", it.session.variant.id to it.tried.single().variant)
            }
            val late =
                "tflite-gpu" to
                    EngineFactory { variant, artifact, threads, log ->
                        val engine = cpu.open(variant, artifact, threads, log)
                        object : Engine by engine {
                            override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) = kind()
                        }
                    }
            opened(loader(late)).let {
                it.session.close()
                assertEquals("tflite-second", it.session.variant.id)
            }
        }
    }

    @Test
    fun whenNoneWorksEachIsNamedWithItsReason() {
        val none =
            loader(gpu("cpu"), change = { it.getJSONArray("variants").getJSONObject(1).put("sha256", "0".repeat(64)) })
        val message = assertThrows(BundleError::class.java) { opened(none) }.message.orEmpty()
        assertTrue(
            message,
            "'tflite-first' is passed over: its runtime says" in message &&
                "'tflite-second' is passed over: " in message &&
                "hash" in message,
        )
    }

    @Test
    fun aVariantOfWhichNoGoldenSpeaksIsPassedOver() {
        val partly =
            loader(
                gpu = false,
                change = { it.getJSONArray("goldens").getJSONObject(0).getJSONArray("expected").remove(0) },
            )
        opened(partly).let {
            it.session.close()
            assertEquals("tflite-second", it.session.variant.id)
            assertTrue(it.tried.single().reason, "no golden" in it.tried.single().reason)
        }
    }

    @Test
    fun aBundleWithoutGoldensIsTakenAndSaysSo() {
        opened(loader(gpu = false, change = { it.put("goldens", org.json.JSONArray()) })).let {
            it.session.close()
            assertEquals("tflite-first", it.session.variant.id)
            assertTrue(it.notes.single(), "nothing was checked" in it.notes.single())
        }
    }

    @Test
    fun aGpuEngineIsMadeAndRunOnOneThread() {
        val threads = HashSet<Thread>()
        val ended = CountDownLatch(1)
        val pinned =
            "tflite-gpu" to
                EngineFactory { variant, artifact, count, log ->
                    OneThreadEngine("gpu") {
                        threads += Thread.currentThread()
                        val engine = cpu.open(variant, artifact, count, log)
                        object : Engine by engine {
                            override val delegateExecuted = TextReading.of("gpu")

                            override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
                                threads += Thread.currentThread()
                                engine.run(inputs, outputs)
                            }
                        }
                    }
                }
        val session = opened(loader(pinned)).session
        Thread {
                session.run()
                ended.countDown()
            }
            .start()
        ended.await()
        session.close()
        assertEquals(1, threads.size)
    }
}
