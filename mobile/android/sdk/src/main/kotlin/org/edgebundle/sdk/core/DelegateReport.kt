package org.edgebundle.sdk.core

/**
 * Which delegate took operators of a model, from the line that TensorFlow Lite and LiteRT write to the log when they
 * apply one: `Replacing 12 out of 14 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions ...`.
 */
object DelegateReport {
    private val LINE = Regex("""Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\)""")
    private val NAMES =
        mapOf("TfLiteXNNPackDelegate" to "xnnpack", "TfLiteGpuDelegateV2" to "gpu", "TfLiteGpuDelegate" to "gpu")

    /**
     * The delegate of the last such line, in the manifest's words; `cpu` when it took nothing. A log without such a
     * line says nothing.
     */
    fun read(log: List<String>): TextReading {
        val found =
            log.mapNotNull(LINE::find).lastOrNull()
                ?: return TextReading.missing("the runtime's log says nothing of a delegate")
        val (taken, _, name) = found.destructured
        return TextReading.of(if (taken.toInt() == 0) "cpu" else NAMES[name] ?: name)
    }
}
