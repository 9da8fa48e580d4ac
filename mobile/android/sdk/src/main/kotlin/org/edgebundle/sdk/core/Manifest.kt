package org.edgebundle.sdk.core

/** `manifest.json` as the app needs it. The field names and their meaning are those of builder/bundle/manifest.py. */
class Manifest(
    val modelName: String,
    val inputs: List<TensorSpec>,
    val outputs: List<TensorSpec>,
    /** In order of preference. */
    val variants: List<Variant>,
    val goldens: List<Golden>,
    /** Orders measured on devices; the first that fits is taken. */
    val rankings: List<Ranking> = emptyList(),
    /** The sha256 of each file but the manifest itself, by its path. */
    val hashes: Map<String, String> = emptyMap(),
) {
    /** The variant of that id. Throws [BundleError] naming the known ones. */
    fun variant(id: String): Variant =
        variants.firstOrNull { it.id == id }
            ?: throw BundleError("the bundle has no variant '$id'; it has ${variants.joinToString { it.id }}.")

    /** The manifest as one variant has it: with its sizes of the tensors, and the goldens that speak of it. */
    fun of(variant: Variant) =
        Manifest(
            modelName,
            inputs.map { spec -> spec.sizedAs(variant.inputs) },
            outputs.map { spec -> spec.sizedAs(variant.outputs) },
            variants,
            goldens.filter { golden -> golden.expected.any { it.variant == variant.id } },
            rankings,
            hashes,
        )
}

/** A tensor as the source model sees it; `shape` is logical (NCHW for images). */
class TensorSpec(
    val name: String,
    val kind: String,
    val shape: List<Int>,
    val bgr: Boolean,
    val range: Pair<Double, Double>?,
    val mean: List<Double>?,
    val std: List<Double>?,
    val resize: String?,
    val labels: List<String>?,
) {
    val isImage
        get() = kind == IMAGE

    /** Whether it is a picture that pixels fill: one of three colours, [1, 3, height, width]. */
    val isPicture
        get() = isImage && shape.size == 4 && shape[0] == 1 && shape[1] == 3

    val height
        get() = shape[shape.size - 2]

    val width
        get() = shape[shape.size - 1]

    val count
        get() = shape.fold(1, Int::times)

    internal fun sizedAs(bindings: List<Binding>): TensorSpec {
        val own = bindings.firstOrNull { it.name == name }?.logicalShape ?: return this
        return TensorSpec(name, kind, own, bgr, range, mean, std, resize, labels)
    }

    companion object {
        const val IMAGE = "image"
    }
}

/** How one logical tensor is laid out in one artifact. */
class Binding(val name: String, val index: Int, val layout: String, val shape: List<Int>, val dtype: String) {
    val count
        get() = shape.fold(1, Int::times)

    /** NCHW for pictures, whatever the artifact's own layout. */
    val logicalShape
        get() = if (layout == NHWC) listOf(shape[0], shape[3], shape[1], shape[2]) else shape

    /** Size of one element in bytes. Throws [BundleError] for a type that no engine of this SDK takes. */
    val elementBytes
        get() =
            when (dtype) {
                FLOAT32,
                INT32 -> 4
                INT64 -> 8
                else -> throw BundleError("tensor '$name' is $dtype, which this app cannot fill; export it as float32.")
            }

    val bytes
        get() = count * elementBytes

    companion object {
        const val NHWC = "NHWC"
        const val FLOAT32 = "float32"
        const val INT32 = "int32"
        const val INT64 = "int64"
    }
}

/** One artifact: backend x plan x delegate. */
class Variant(
    val id: String,
    val backend: String,
    val delegate: String,
    val file: String,
    val bytes: Long,
    val sha256: String,
    val inputs: List<Binding>,
    val outputs: List<Binding>,
    /** What loading and running it takes at most, as the builder predicts. */
    val predictedPeakMemoryBytes: Long = 0,
    /** Whether and how a larger picture may be made of tiles; `null` in bundles that do not say. */
    val tiling: Tiling? = null,
) {
    /** Whether a GPU or an NPU is meant to execute it: its driver may refuse it late, or take the app down. */
    val isAccelerated
        get() = delegate !in CPU

    private companion object {
        val CPU = setOf("xnnpack", "cpu")
    }
}

/**
 * `overlap` source pixels on each side of a tile make seams vanish, tiles start at multiples of `multiple`; `reason`
 * says why not.
 */
class Tiling(val allowed: Boolean, val overlap: Int?, val multiple: Int?, val reason: String?)

/**
 * An order of variants that was measured on [phones] of one kind: one `soc`, or one `model` where they do not tell it.
 */
class Ranking(val soc: String?, val model: String?, val variants: List<String>, val phones: List<Phone> = emptyList()) {
    /** Whether it was measured on devices like this one. */
    fun fits(facts: DeviceFacts) = (phones + Phone(soc = soc, model = model)).any(facts.phone::isSameAs)

    /** Place of a variant in the order; those that were not measured come last. */
    fun place(variant: Variant) = variants.indexOf(variant.id).let { if (it < 0) variants.size else it }
}

/**
 * `encoding` is `png` (8-bit RGB), `png_sparse` (one pixel of each block of 4 x 4, see [sparsePixels]) or `f32` (raw
 * little-endian float32 in logical order).
 */
class GoldenTensor(val name: String, val file: String, val encoding: String)

/** What one variant must give: at least `minPsnrDb` against the stored tensors. */
class GoldenOutputs(val variant: String, val tensors: List<GoldenTensor>, val minPsnrDb: Double)

/** A test input and the output that each variant must give for it on any device. */
class Golden(val id: String, val inputs: List<GoldenTensor>, val expected: List<GoldenOutputs>)
