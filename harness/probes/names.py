"""The names of probes in a record's `samples`: the same in the harness, in Kotlin (`core/Probes.kt`) and in Swift (`Probes.swift`).

`docs/formats/vectors/probes.json` holds them together.
"""

from __future__ import annotations

# Each name with its unit and what it says. A new probe is a line here, and one where it is read.
PROBES: dict[str, tuple[str, str]] = {
    "temperature": ("degC", "the device's temperature, as its system tells it"),
    "thermal_status": ("status", "Android's thermal status, 0 to 6; iOS's thermal state on the same scale"),
    "thermal_headroom": ("headroom", "1.0 is where severe throttling begins"),
    "battery": ("%", "the battery's charge"),
    "battery_voltage": ("V", "what the fuel gauge tells"),
    "battery_current": ("A", "what the fuel gauge tells, with the vendor's sign"),
    "clock": ("MHz", "the mean clock of the processors"),
    "background_load": ("%", "processors in use while nothing was measured"),
    "load_average": ("programs", "programs that ran or wanted to, over the last minute"),
    "memory": ("B", "memory that the system counts for the app: PSS on Android, phys_footprint on iOS"),
    "memory_before_load": ("B", "memory of the process before the model was loaded"),
    "low_power_mode": ("flag", "1 while iOS saves power"),
    "inferences": ("inferences", "inferences done so far"),
}
# What each app reads beside a measurement.
ANDROID_APP = ("temperature", "thermal_status", "thermal_headroom", "battery", "clock", "memory")
IOS_APP = ("thermal_status", "memory", "low_power_mode")
