package org.edgebundle.sdk.core

/**
 * What must hold in a manifest beyond its fields being there, so that no later step meets a number that it cannot use.
 */
internal object ManifestCheck {
    /** Larger than any tensor that a phone holds: 2^29 values are 2 GB. */
    private const val MOST_VALUES = 1L shl 29
    private const val COLOURS = 3

    /** Throws [BundleError] naming the first thing that is wrong. */
    fun check(manifest: Manifest) {
        for (spec in manifest.inputs + manifest.outputs) tensor(spec)
        unique("variant", manifest.variants.map { it.id })
        unique("input", manifest.inputs.map { it.name })
        unique("output", manifest.outputs.map { it.name })
        goldens(manifest)
        for (variant in manifest.variants) {
            bindings(variant, "input", manifest.inputs, variant.inputs)
            bindings(variant, "output", manifest.outputs, variant.outputs)
        }
    }

    private fun goldens(manifest: Manifest) {
        for (golden in manifest.goldens) for (expected in golden.expected) {
            if (!(expected.minPsnrDb > 0))
                wrong("golden '${golden.id}' asks for ${expected.minPsnrDb} dB, which every picture has")
        }
    }

    private fun tensor(spec: TensorSpec) {
        shape(spec.name, spec.shape)
        if (spec.isImage && spec.shape.size != 4) wrong("'${spec.name}' is an image of shape ${spec.shape}")
        val (mean, std) = spec.mean to spec.std
        if (
            spec.isImage &&
                (mean != null && mean.size != COLOURS || std != null && (std.size != COLOURS || std.any { it == 0.0 }))
        )
            wrong("'${spec.name}' has the mean $mean and the deviation $std")
        if (spec.range != null && !(spec.range.first < spec.range.second))
            wrong("'${spec.name}' has the range ${spec.range.first} to ${spec.range.second}")
    }

    private fun bindings(variant: Variant, what: String, specs: List<TensorSpec>, bindings: List<Binding>) {
        if (
            bindings.map { it.name }.sorted() != specs.map { it.name }.sorted() ||
                bindings.map { it.index }.sorted() != bindings.indices.toList()
        ) {
            wrong(
                "variant '${variant.id}' has the ${what}s ${bindings.joinToString { "${it.index} ${it.name}" }}, and the network ${specs.joinToString { it.name }}"
            )
        }
        for (binding in bindings) {
            shape(binding.name, binding.shape)
            if (binding.layout == Binding.NHWC && binding.shape.size != 4)
                wrong("'${binding.name}' of variant '${variant.id}' is NHWC of shape ${binding.shape}")
        }
    }

    private fun shape(name: String, shape: List<Int>) {
        if (
            shape.any { it <= 0 } ||
                shape.fold(1L) { all, size -> minOf(MOST_VALUES + 1, all * maxOf(1, size)) } > MOST_VALUES
        )
            wrong("'$name' has the shape $shape")
    }

    private fun unique(what: String, names: List<String>) {
        val twice = names.groupBy { it }.values.firstOrNull { it.size > 1 } ?: return
        wrong("two ${what}s are named '${twice[0]}'")
    }

    private fun wrong(how: String): Nothing =
        throw BundleError("manifest.json is not a valid manifest ($how); package the bundle again.")
}
