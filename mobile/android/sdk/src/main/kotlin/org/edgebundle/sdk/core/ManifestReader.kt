package org.edgebundle.sdk.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * Reads `manifest.json`.
 *
 * `org.json` is part of every Android system (nothing to ship) and exists as an ordinary library for a desktop JVM,
 * where this code is tested.
 */
object ManifestReader {
    /** The newest schema this SDK reads. */
    const val SCHEMA = 1

    /** Throws [BundleError] for a newer schema, a missing field, or a path that leaves the bundle. */
    fun read(text: String): Manifest =
        try {
            val root = JSONObject(text)
            val schema = root.getInt("schema")
            if (schema > SCHEMA) {
                throw BundleError(
                    "the bundle has schema $schema but this app reads up to $SCHEMA; update the app's edgebundle SDK."
                )
            }
            Manifest(
                    modelName = root.getJSONObject("model").getString("name"),
                    inputs = root.objects("inputs").map(::tensor),
                    outputs = root.objects("outputs").map(::tensor),
                    variants = root.objects("variants").map(::variant),
                    goldens = root.objects("goldens").map(::golden),
                    rankings = if (root.isNull("rankings")) emptyList() else root.objects("rankings").map(::ranking),
                    hashes =
                        if (root.isNull("files")) emptyMap()
                        else root.objects("files").associate { it.getString("file") to it.getString("sha256") },
                )
                .also(ManifestCheck::check)
        } catch (error: JSONException) {
            throw BundleError(
                "manifest.json is not a valid manifest (${error.message}); package the bundle again.",
                error,
            )
        } catch (error: StackOverflowError) {
            throw BundleError(
                "manifest.json is not a valid manifest (it is nested too deeply); package the bundle again.",
                error,
            )
        }

    /** The path itself when it stays inside the bundle. */
    fun insidePath(path: String): String {
        val leaves = path.isEmpty() || path.startsWith("/") || '\\' in path || ':' in path || ".." in path.split("/")
        if (leaves)
            throw BundleError(
                "manifest.json names '$path', which is not a path inside the bundle; package the bundle again."
            )
        return path
    }

    private fun tensor(json: JSONObject) =
        TensorSpec(
            name = json.getString("name"),
            kind = json.getString("kind"),
            shape = json.getJSONArray("shape").ints(),
            bgr = json.text("color_order") == "BGR",
            range =
                json.numbers("range")?.let {
                    if (it.size == 2) it[0] to it[1]
                    else throw JSONException("the range of ${json.getString("name")} has ${it.size} numbers")
                },
            mean = json.numbers("mean"),
            std = json.numbers("std"),
            resize = json.text("resize"),
            labels = json.optJSONArray("labels")?.let { all -> List(all.length(), all::getString) },
        )

    private fun binding(json: JSONObject) =
        Binding(
            name = json.getString("name"),
            index = json.getInt("index"),
            layout = json.getString("layout"),
            shape = json.getJSONArray("shape").ints(),
            dtype = json.getString("dtype"),
        )

    private fun variant(json: JSONObject) =
        Variant(
            id = json.getString("id"),
            backend = json.getString("backend"),
            delegate = json.getString("delegate"),
            file = insidePath(json.getString("file")),
            bytes = json.getLong("bytes"),
            sha256 = json.getString("sha256"),
            inputs = json.objects("inputs").map(::binding),
            outputs = json.objects("outputs").map(::binding),
            predictedPeakMemoryBytes = json.optLong("predicted_peak_memory_bytes"),
            tiling = json.optJSONObject("tiling")?.let(::tiling),
        )

    private fun tiling(json: JSONObject) =
        Tiling(
            allowed = json.getBoolean("allowed"),
            overlap = if (json.isNull("overlap")) null else json.getInt("overlap"),
            multiple = if (json.isNull("multiple")) null else json.getInt("multiple"),
            reason = json.text("reason"),
        )

    private fun ranking(json: JSONObject) =
        Ranking(
            soc = json.text("soc"),
            model = json.text("model"),
            variants = json.getJSONArray("variants").let { all -> List(all.length(), all::getString) },
            phones =
                if (json.isNull("phones")) emptyList()
                else
                    json.objects("phones").map {
                        Phone(it.text("soc"), it.text("board"), it.text("hardware"), it.text("model"))
                    },
        )

    private fun golden(json: JSONObject) =
        Golden(
            id = json.getString("id"),
            inputs = json.objects("inputs").map(::goldenTensor),
            expected =
                json.objects("expected").map {
                    GoldenOutputs(
                        it.getString("variant"),
                        it.objects("tensors").map(::goldenTensor),
                        it.getDouble("min_psnr_db"),
                    )
                },
        )

    private fun goldenTensor(json: JSONObject) =
        GoldenTensor(json.getString("name"), insidePath(json.getString("file")), json.getString("encoding"))

    private fun JSONObject.objects(name: String): List<JSONObject> =
        getJSONArray(name).let { all -> List(all.length(), all::getJSONObject) }

    private fun JSONObject.text(name: String): String? = if (isNull(name)) null else getString(name)

    private fun JSONObject.numbers(name: String): List<Double>? =
        optJSONArray(name)?.let { all -> List(all.length(), all::getDouble) }

    private fun JSONArray.ints(): List<Int> = List(length(), ::getInt)
}
