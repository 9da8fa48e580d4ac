package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Runs a golden of the bundle through a loaded variant and compares what comes out, as `builder verify` does.
 *
 * A golden that is damaged, cut, too long or incomplete is never compared: each function throws [BundleError] for it
 * (docs/sdk-rules.md, "Damaged goldens"). [hashes] are those of the manifest, by path.
 */
class GoldenCheck(
    private val files: BundleFiles,
    private val pictures: PictureReader,
    private val hashes: Map<String, String>,
) {
    /** Fills the inputs of [session] with the golden's and runs it once. */
    @Throws(BundleError::class)
    fun run(session: Session, golden: Golden): GoldenResult {
        fill(session, golden)
        session.run()
        return compare(session, golden)
    }

    /** Fills the inputs of [session] with the golden's. */
    @Throws(BundleError::class)
    fun fill(session: Session, golden: Golden) {
        for (spec in session.manifest.inputs) {
            val tensor =
                golden.inputs.firstOrNull { it.name == spec.name }
                    ?: throw damaged(golden, "it has no input '${spec.name}'")
            if (tensor.encoding == PNG) session.setPicture(spec.name, picture(tensor, spec).argb)
            else session.setValues(spec.name, values(tensor, spec))
        }
    }

    /**
     * Compares the present outputs of [session] with what the golden expects of its variant: the worst of all outputs
     * counts.
     */
    @Throws(BundleError::class)
    fun compare(session: Session, golden: Golden): GoldenResult {
        val expected =
            golden.expected.firstOrNull { it.variant == session.variant.id }
                ?: throw damaged(golden, "it says nothing of variant '${session.variant.id}'")
        if (expected.tensors.isEmpty()) throw damaged(golden, "it expects nothing")
        val pairs =
            expected.tensors.map { tensor ->
                val spec =
                    session.manifest.outputs.firstOrNull { it.name == tensor.name }
                        ?: throw damaged(golden, "the network has no output '${tensor.name}'")
                Triple(
                    spec,
                    actual(session, tensor, spec),
                    if (tensor.encoding in PICTURES) session.codecOf(tensor.name).logical(picture(tensor, spec).argb)
                    else values(tensor, spec),
                )
            }
        val psnr = pairs.minOf { (spec, actual, wanted) -> psnrDb(actual, wanted, peakOf(spec, wanted)) }
        return GoldenResult(
            golden.id,
            psnr >= expected.minPsnrDb,
            psnr,
            pairs.maxOf { (_, actual, wanted) -> maxAbsError(actual, wanted) },
            expected.minPsnrDb,
        )
    }

    /** The pixels of a golden tensor that is a picture, whichever way it is stored. */
    @Throws(BundleError::class)
    fun pixels(tensor: GoldenTensor, spec: TensorSpec): Pixels {
        if (tensor.encoding == PNG) return picture(tensor, spec)
        val binding = Binding(spec.name, 0, "NCHW", spec.shape, Binding.FLOAT32)
        val buffer = ByteBuffer.allocateDirect(binding.bytes).order(ByteOrder.nativeOrder())
        writeValues(values(tensor, spec), binding, buffer)
        return Pixels(
            spec.width,
            spec.height,
            IntArray(spec.width * spec.height).also {
                PictureCodec(spec, binding).decode(buffer.apply { clear() }.asFloatBuffer(), it)
            },
        )
    }

    /** The values of a golden tensor that is stored as floats, in logical order. */
    @Throws(BundleError::class)
    fun values(tensor: GoldenTensor, spec: TensorSpec): FloatArray {
        val bytes = whole(tensor)
        if (bytes.size != 4 * spec.count)
            throw BundleError(
                "${tensor.file} has ${bytes.size} bytes and '${spec.name}' takes ${spec.count} values of 4; package the bundle again."
            )
        return floats(bytes)
    }

    private fun picture(tensor: GoldenTensor, spec: TensorSpec): Pixels {
        val picture = pictures.read(whole(tensor).inputStream())
        val sparse = tensor.encoding == SPARSE
        val width = if (sparse) sparseSize(spec.width) else spec.width
        val height = if (sparse) sparseSize(spec.height) else spec.height
        if (!spec.isPicture || picture.width != width || picture.height != height) {
            throw BundleError(
                "${tensor.file} is a picture of ${picture.width} x ${picture.height} pixels and '${spec.name}' has the shape ${spec.shape}; package the bundle again."
            )
        }
        return picture
    }

    /** The bytes of a golden's file, as the manifest has its hash. */
    private fun whole(tensor: GoldenTensor): ByteArray {
        val bytes = files.bytes(tensor.file)
        if (sha256(bytes) != hashes[tensor.file])
            throw BundleError("${tensor.file} does not have the hash in the manifest; install the app again.")
        return bytes
    }

    /** The output as the golden's encoding holds it: 8-bit for pictures, so that like is compared with like. */
    private fun actual(session: Session, tensor: GoldenTensor, spec: TensorSpec): FloatArray {
        if (tensor.encoding !in PICTURES) return session.values(tensor.name)
        val argb = IntArray(spec.width * spec.height)
        session.readPicture(tensor.name, argb)
        val compared = if (tensor.encoding == SPARSE) sparsePixels(argb, spec.width, spec.height) else argb
        return session.codecOf(tensor.name).logical(compared)
    }

    private fun damaged(golden: Golden, how: String) =
        BundleError("golden '${golden.id}' cannot be used: $how; package the bundle again.")

    companion object {
        const val PNG = "png"
        private const val SPARSE = "png_sparse"
        private val PICTURES = setOf(PNG, SPARSE)
    }
}
