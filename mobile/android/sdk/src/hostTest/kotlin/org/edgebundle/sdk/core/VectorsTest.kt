package org.edgebundle.sdk.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The vectors of docs/formats/vectors, which Python and Swift read too: equal bytes, not nearly equal values. */
class VectorsTest {
    @Test
    fun tilesFollowTheFactsAsInPython() =
        each("tiling.json", { it.has("facts") }) { case ->
            val facts = if (case.isNull("facts")) null else case.getJSONObject("facts")
            val spec = picture(case.ints("tile"))
            val tiling =
                facts?.let {
                    Tiling(
                        it.getBoolean("allowed"),
                        it.number("overlap"),
                        it.number("multiple"),
                        it.optString("reason"),
                    )
                }
            if (case.has("refused")) {
                assertThrows(BundleError::class.java) { Tiler.of(spec, 1, tiling) }
            } else {
                val tiler = Tiler.of(spec, 1, tiling)
                val found = listOf(tiler.margin, tiler.band, tiler.multiple)
                assertEquals(case.toString(), listOf("margin", "band", "multiple").map(case::getInt), found)
            }
        }

    @Test
    fun tilesMakeTheSamePictureAsInPython() =
        each("tiling.json", { it.has("picture") }) { case ->
            val (height, width) = case.ints("picture")
            val (tileHeight, tileWidth) = case.ints("tile")
            val scale = case.getInt("scale")
            val tiler =
                Tiler(tileWidth, tileHeight, scale, case.getInt("margin"), case.getInt("band"), case.getInt("multiple"))
            assertEquals(case.ints("rows"), tiler.starts(height, tileHeight).toList())
            assertEquals(case.ints("columns"), tiler.starts(width, tileWidth).toList())
            val result = IntArray(width * scale * height * scale)
            var number = 0
            val sink = RowSink { top, rows, argb ->
                argb.copyInto(result, top * width * scale, 0, rows * width * scale)
            }
            tiler.run(Noise(width, height), sink) { tile, into ->
                for (i in into.indices) into[i] =
                    added(
                        tile[i / (tileWidth * scale) / scale * tileWidth + i % (tileWidth * scale) / scale],
                        37 * number,
                    )
                number++
            }
            assertArrayEquals(case.rgb("result"), result)
        }

    @Test
    fun picturesBecomeTheSameTensorsAsInPython() =
        each("pictures.json") { case ->
            val wanted = case.bytes("tensor").ints()
            val target = ByteBuffer.allocateDirect(4 * wanted.size).order(ByteOrder.nativeOrder())
            codec(case).encode(case.rgb("pixels"), target.asFloatBuffer())
            assertArrayEquals(case.getString("id"), wanted, IntArray(wanted.size) { target.getInt(4 * it) })
        }

    @Test
    fun tensorsBecomeTheSamePicturesAsInPython() =
        each("pictures.json") { case ->
            val bits = case.bytes("output").ints()
            val source = ByteBuffer.allocateDirect(4 * bits.size).order(ByteOrder.nativeOrder())
            bits.forEachIndexed { i, word -> source.putInt(4 * i, word) }
            val argb = IntArray(bits.size / 3)
            codec(case).decode(source.asFloatBuffer(), argb)
            assertArrayEquals(case.getString("id"), case.rgb("output_pixels"), argb)
        }

    @Test
    fun transparentPicturesAreComposedOnWhiteAsInPython() =
        each("transparency.json") { case ->
            val rgba = case.bytes("straight")
            val argb =
                IntArray(rgba.size / 4) { i ->
                    (rgba.at(4 * i + 3) shl 24) or
                        (rgba.at(4 * i) shl 16) or
                        (rgba.at(4 * i + 1) shl 8) or
                        rgba.at(4 * i + 2)
                }
            composeOnWhite(argb)
            assertArrayEquals(case.rgb("opaque"), argb)
        }

    @Test
    fun carriedPicturesAreThoseOfPython() =
        each("carrying.json") { case ->
            val (height, width) = case.ints("size")
            val fade = case.getInt("fade")
            val carrier = FrameCarrier(width, height)
            val steps = case.getJSONArray("steps")
            for (number in 0 until steps.length()) {
                val step = steps.getJSONObject(number)
                if (step.getBoolean("finish")) {
                    stylize(carrier.running.frame, carrier.running.styled)
                    carrier.finish()
                }
                val frame = Texture.frame(height, width, step)
                carrier.advance(frame, true)
                assertEquals("$width x $height, step $number: cut", step.getBoolean("cut"), carrier.isCut)
                if (step.getBoolean("begin")) carrier.begin(frame)
                for ((divisor, name) in listOf(1 to "sha256", 2 to "half")) {
                    if (step.isNull(name)) continue
                    val out = IntArray((width / divisor) * (height / divisor))
                    carrier.picture(frame, fade, divisor, out)
                    assertEquals("$width x $height, step $number: $name", step.getString(name), sha256(rgbBytes(out)))
                }
            }
        }

    private fun stylize(frame: IntArray, styled: IntArray) {
        for (i in frame.indices) {
            val (red, green, blue) = listOf(16, 8, 0).map { frame[i] shr it and 255 }
            styled[i] = 0xff000000.toInt() or (blue shl 16) or (255 - red shl 8) or green
        }
    }

    private fun rgbBytes(argb: IntArray) = ByteArray(3 * argb.size) { (argb[it / 3] shr 16 - 8 * (it % 3)).toByte() }

    @Test
    fun sparsePicturesHaveTheSamePixelsAsInPython() =
        each("sparse.json") { case ->
            val (height, width) = case.ints("size")
            assertArrayEquals(case.rgb("sparse"), sparsePixels(case.rgb("pixels"), width, height))
        }

    @Test
    fun classifiersNameTheSameLabels() =
        each("labels.json") { case ->
            val values = case.bytes("values").ints().map { Float.fromBits(it) }.toFloatArray()
            val found = labelsOf(values, case.texts("names"), case.getInt("most"))
            assertEquals(case.texts("labels"), found.map { it.name })
            assertEquals(case.ints("places").map { values[it] }, found.map { it.score })
        }

    @Test
    fun cameraFramesBecomeTheSamePixelsAsInPython() =
        each("yuv.json") { case ->
            val (height, width) = case.ints("frame")
            val (left, top, cropWidth, cropHeight) = case.ints("crop")
            val (outHeight, outWidth) = case.ints("size")
            val frame =
                YuvFrame(width, height, plane(case, "y"), plane(case, "u"), plane(case, "v"), case.getInt("rotation"))
            val argb = IntArray(outWidth * outHeight)
            frame.read(Crop(left, top, cropWidth, cropHeight), outWidth, outHeight, argb)
            assertArrayEquals(case.rgb("result"), argb)
        }

    @Test
    fun verdictsAreThoseOfTheHarness() =
        each("verdicts.json") { case ->
            val golden =
                case.optJSONObject("golden")?.let {
                    GoldenResult(
                        it.getString("id"),
                        it.getBoolean("passed"),
                        it.getDouble("psnr_db"),
                        it.getDouble("max_abs_error"),
                        it.getDouble("min_psnr_db"),
                    )
                }
            val executed =
                case.getJSONObject("executed").let { said ->
                    said.text("value")?.let(TextReading::of) ?: TextReading.missing(said.getString("reason"))
                }
            val samples =
                case.ints("samples").mapIndexed { at, status ->
                    Sample(at.toDouble(), Probes.THERMAL_STATUS, status.toDouble(), "status")
                }
            val seen =
                RunFacts(
                    golden,
                    case.text("golden_reason"),
                    case.getString("requested"),
                    executed,
                    state(case, "start"),
                    state(case, "end"),
                    samples,
                    case.getBoolean("hidden"),
                )
            val found = verdict(seen)
            assertEquals(case.toString(), case.getString("words"), found.words)
            assertTrue(case.toString(), case.getJSONObject("verdict").similar(JSONObject(found.toJson().toString())))
        }

    @Test
    fun probesAreNamedAsInTheHarness() {
        val known = HashMap<String, String>()
        each("probes.json") { if (it.getBoolean("android")) known[it.getString("probe")] = it.getString("unit") }
        assertEquals(known, Probes.UNITS)
    }

    @Test
    fun phonesAreKnownByTheSameNames() {
        val phones = ArrayList<Phone>()
        each("phones.json") { case ->
            val told =
                case.getJSONArray("told").let { all -> List(6) { if (all.isNull(it)) null else all.getString(it) } }
            val phone = Phone.of(told[0], told[1], told[2], told[3], told[4], told[5])
            val wanted = phone(case.getJSONObject("phone"))
            assertEquals(
                listOf(wanted.soc, wanted.board, wanted.hardware, wanted.model),
                listOf(phone.soc, phone.board, phone.hardware, phone.model),
            )
            phones += phone
        }
        var number = 0
        each("phones.json") { case ->
            val same = phones.indices.filter { it != number && phones[number].isSameAs(phones[it]) }
            assertEquals(case.toString(), case.ints("same"), same)
            number++
        }
    }

    @Test
    fun variantsAreTriedInTheSameOrder() =
        each("choice.json") { case ->
            val variants =
                case.objects("variants").map {
                    Variant(
                        it.getString("id"),
                        it.getString("backend"),
                        it.getString("delegate"),
                        "v",
                        0,
                        "",
                        emptyList(),
                        emptyList(),
                        it.getLong("predicted_peak_memory_bytes"),
                    )
                }
            val rankings =
                case.objects("rankings").map {
                    Ranking(it.text("soc"), it.text("model"), it.texts("variants"), it.objects("phones").map(::phone))
                }
            val facts =
                DeviceFacts(phone(case.getJSONObject("phone")), if (case.isNull("free")) null else case.getLong("free"))
            val choice =
                chooseVariants(
                    Manifest("m", emptyList(), emptyList(), variants, emptyList(), rankings),
                    case.texts("engines").toSet(),
                    facts,
                )
            assertEquals(case.toString(), case.texts("order"), choice.order.map { it.id })
        }

    private fun state(case: JSONObject, name: String) =
        Conditions(
            Reading.of(30, "degC"),
            if (case.isNull(name)) Reading.missing("status", "not told") else Reading.of(case.getInt(name), "status"),
            Reading.of(80, "%"),
            TextReading.of("no"),
            emptyList(),
        )

    private fun phone(json: JSONObject) =
        Phone(json.text("soc"), json.text("board"), json.text("hardware"), json.text("model"))

    private class Noise(override val width: Int, override val height: Int) : PixelSource {
        override fun read(left: Int, top: Int, width: Int, height: Int, argb: IntArray) {
            for (y in 0 until height) for (x in 0 until width) argb[y * width + x] =
                OPAQUE or ((left + x) * 7919 + (top + y) * 104729 and 0xffffff)
        }
    }

    private fun added(pixel: Int, count: Int) =
        OPAQUE or listOf(16, 8, 0).sumOf { ((pixel shr it and 0xff) + count and 0xff) shl it }

    private fun picture(size: List<Int>) =
        TensorSpec("image", TensorSpec.IMAGE, listOf(1, 3) + size, false, null, null, null, null, null)

    private fun codec(case: JSONObject): PictureCodec {
        val binding = case.getJSONObject("binding")
        val variant =
            JSONObject(
                """{"id": "v", "backend": "tflite", "delegate": "xnnpack", "file": "v", "bytes": 0, "sha256": "", "outputs": []}"""
            )
        val manifest = JSONObject("""{"schema": 1, "model": {"name": "vectors"}, "outputs": [], "goldens": []}""")
        manifest
            .put("inputs", JSONArray(listOf(case.getJSONObject("spec"))))
            .put("variants", JSONArray(listOf(variant.put("inputs", JSONArray(listOf(binding))))))
        return ManifestReader.read(manifest.toString()).let {
            PictureCodec(it.inputs.single(), it.variants.single().inputs.single())
        }
    }

    private fun plane(case: JSONObject, name: String) =
        case.getJSONObject(name).let {
            YuvPlane(ByteBuffer.wrap(it.bytes("bytes")), it.getInt("row_stride"), it.getInt("pixel_stride"))
        }

    private companion object {
        const val OPAQUE = 0xff shl 24

        fun each(file: String, chosen: (JSONObject) -> Boolean = { true }, check: (JSONObject) -> Unit) {
            val all = JSONObject(File(TEST_DATA, "vectors/$file").readText()).getJSONArray("cases")
            val cases = List(all.length(), all::getJSONObject).filter(chosen)
            assertTrue("no cases in $file", cases.isNotEmpty())
            cases.forEach(check)
        }

        fun JSONObject.bytes(name: String): ByteArray = Base64.getDecoder().decode(getString(name))

        fun JSONObject.text(name: String): String? = if (isNull(name)) null else getString(name)

        fun JSONObject.texts(name: String) = getJSONArray(name).let { all -> List(all.length(), all::getString) }

        fun JSONObject.objects(name: String) = getJSONArray(name).let { all -> List(all.length(), all::getJSONObject) }

        fun JSONObject.number(name: String) = if (isNull(name)) null else getInt(name)

        fun JSONObject.ints(name: String) = getJSONArray(name).let { all -> List(all.length(), all::getInt) }

        fun JSONObject.rgb(name: String) =
            bytes(name).let { rgb ->
                IntArray(rgb.size / 3) {
                    OPAQUE or (rgb.at(3 * it) shl 16) or (rgb.at(3 * it + 1) shl 8) or rgb.at(3 * it + 2)
                }
            }

        fun ByteArray.at(i: Int) = this[i].toInt() and 0xff

        fun ByteArray.ints() =
            ByteBuffer.wrap(this).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().let { IntArray(it.remaining(), it::get) }
    }
}
