package org.edgebundle.sdk.core

/** The names of what the app reads beside a measurement, and their units: those of harness/probes/names.py. */
object Probes {
    const val TEMPERATURE = "temperature"
    const val THERMAL_STATUS = "thermal_status"
    const val THERMAL_HEADROOM = "thermal_headroom"
    const val BATTERY = "battery"

    /** The mean clock of the processors. */
    const val CLOCK = "clock"

    /** What the system counts for this process now. */
    const val MEMORY = "memory"

    val UNITS =
        mapOf(
            TEMPERATURE to "degC",
            THERMAL_STATUS to "status",
            THERMAL_HEADROOM to "headroom",
            BATTERY to "%",
            CLOCK to "MHz",
            MEMORY to "B",
        )
}
