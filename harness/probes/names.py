"""The names of samples in a record: the same in the harness, in Kotlin (`core/Probes.kt`) and in Swift (`Probes.swift`).

`docs/formats/vectors/probes.json` holds them together.
"""

from __future__ import annotations

from harness.probes import list_probes

# Samples that are no state of the device, each with its unit and what it says.
OTHERS: dict[str, tuple[str, str]] = {
    "memory": ("B", "memory that the system counts for the app: PSS on Android, phys_footprint on iOS"),
    "memory_before_load": ("B", "memory of the process before the model was loaded"),
    "low_power_mode": ("flag", "1 while iOS saves power"),
    "inferences": ("inferences", "inferences done so far"),
}
# What each app reads beside a measurement.
ANDROID_APP = ("temperature", "thermal_status", "thermal_headroom", "battery", "clock", "memory")
IOS_APP = ("thermal_status", "memory", "low_power_mode")


def sample_names() -> dict[str, tuple[str, str]]:
    """Every name with its unit and what it says."""
    return {probe.name: (probe.unit, probe.meaning) for probe in list_probes() if probe.unit is not None} | OTHERS
