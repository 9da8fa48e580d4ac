package org.edgebundle.sdk.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Runs a golden of the bundle through a loaded variant and compares what comes out, as `builder verify` does. */
class GoldenCheck(private val files: BundleFiles, private val pictures: PictureReader) {
    /** Fills the inputs of [session] with the golden's and runs it once. */
    fun run(session: Session, golden: Golden): GoldenResult {
        fill(session, golden)
        session.run()
        return compare(session, golden)
    }

    /** Fills the inputs of [session] with the golden's. */
    fun fill(session: Session, golden: Golden) {
        for (input in golden.inputs) {
            if (input.encoding == PNG) session.setPicture(input.name, picture(input).argb) else session.setValues(input.name, values(input))
        }
    }

    /** Compares the present outputs of [session] with what the golden expects of its variant: the worst of all outputs counts. */
    fun compare(session: Session, golden: Golden): GoldenResult {
        val expected = golden.expected.firstOrNull { it.variant == session.variant.id }
            ?: throw BundleException("golden '${golden.id}' says nothing of variant '${session.variant.id}'; package the bundle again.")
        val pairs = expected.tensors.map { tensor ->
            val spec = session.manifest.outputs.first { it.name == tensor.name }
            Triple(spec, actual(session, tensor, spec), if (tensor.encoding == PNG) session.codecOf(tensor.name).logical(picture(tensor).argb) else values(tensor))
        }
        val psnr = pairs.minOf { (spec, actual, wanted) -> psnrDb(actual, wanted, peakOf(spec, wanted)) }
        return GoldenResult(golden.id, psnr >= expected.minPsnrDb, psnr, pairs.maxOf { (_, actual, wanted) -> maxAbsError(actual, wanted) }, expected.minPsnrDb)
    }

    /** The pixels of a golden tensor that is a picture, whichever way it is stored. */
    fun pixels(tensor: GoldenTensor, spec: TensorSpec): Pixels {
        if (tensor.encoding == PNG) return picture(tensor)
        val binding = Binding(spec.name, 0, "NCHW", spec.shape, Binding.FLOAT32)
        val buffer = ByteBuffer.allocateDirect(binding.bytes).order(ByteOrder.nativeOrder())
        writeValues(values(tensor), binding, buffer)
        return Pixels(spec.width, spec.height, IntArray(spec.width * spec.height).also { PictureCodec(spec, binding).decode(buffer.apply { clear() }.asFloatBuffer(), it) })
    }

    private fun picture(tensor: GoldenTensor): Pixels = pictures.read(files.bytes(tensor.file).inputStream())

    /** The values of a golden tensor that is stored as floats, in logical order. */
    fun values(tensor: GoldenTensor) = floats(files.bytes(tensor.file))

    /** The output as the golden's encoding holds it: 8-bit for `png`, so that like is compared with like. */
    private fun actual(session: Session, tensor: GoldenTensor, spec: TensorSpec): FloatArray {
        if (tensor.encoding != PNG) return session.values(tensor.name)
        val argb = IntArray(spec.width * spec.height)
        session.picture(tensor.name, argb)
        return session.codecOf(tensor.name).logical(argb)
    }

    companion object {
        const val PNG = "png"
    }
}
