package org.edgebundle.sdk.core

/**
 * By what names a phone is known; `null` where it does not tell one. An app on Android before 12 is not told the SoC,
 * so that the most telling name that two phones both know decides whether they are the same. The rule is that of
 * harness/records/phone.py.
 */
class Phone(
    val soc: String? = null,
    val board: String? = null,
    val hardware: String? = null,
    val model: String? = null,
) {
    /**
     * Whether what was measured on one counts for the other. Where both tell their SoC, it alone decides. Otherwise one
     * name that both tell and that is not shared by several SoCs must be the same: the board, the hardware, or the
     * model.
     */
    fun isSameAs(other: Phone): Boolean {
        val mine = chip(soc)
        val others = chip(other.soc)
        if (mine != null && others != null) return mine == others
        return listOf(board to other.board, hardware to other.hardware, model to other.model).any { (one, two) ->
            telling(one) != null && telling(one) == telling(two)
        }
    }

    companion object {
        /** Names that say nothing: what systems write where they know none, and those of emulators. */
        private val NOTHING = setOf("", "unknown", "none", "null", "default", "goldfish", "ranchu")

        /** Boards and hardware that several SoCs share, as their phones report them. */
        private val SHARED = setOf("qcom", "semc", "sc8830", "msm8937", "msm8952", "msm8953", "lito", "bengal", "holi")

        /** Vendors write one chip in several ways (`MT6893Z/CZA`, `SM8650-AC`): the number decides. */
        private val CHIP = Regex("\\b(MT\\d{4}|(?:SM|SDM|MSM|QCM|SC)\\d{3,4})", RegexOption.IGNORE_CASE)

        /** A phone by what `android.os.Build` and `ro.*` say of it. */
        fun of(
            socManufacturer: String?,
            socModel: String?,
            board: String?,
            hardware: String?,
            manufacturer: String?,
            model: String?,
        ) = Phone(joined(socManufacturer, socModel), known(board), known(hardware), joined(manufacturer, model))

        private fun joined(manufacturer: String?, model: String?) =
            known(model)?.let { listOfNotNull(known(manufacturer), it).joinToString(" ") }

        private fun chip(name: String?) = known(name)?.let { (CHIP.find(it)?.groupValues?.get(1) ?: it).lowercase() }

        private fun telling(name: String?) = known(name)?.lowercase()?.takeIf { it !in SHARED }

        private fun known(name: String?) = name?.trim()?.takeIf { it.lowercase() !in NOTHING }
    }
}
