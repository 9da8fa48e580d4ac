"""Temperature and thermal status from `dumpsys thermalservice` and /sys/class/thermal.

Formats: android.hardware.thermal 2.0 and later as printed by ThermalManagerService; the zones are the kernel's thermal sysfs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.probes.numbers import bounded
from harness.records.run import Reading

UNIT, STATUS_UNIT = "degC", "status"
LOWEST_C, HIGHEST_C = -40.0, 150.0  # beyond these no phone works; silicon shuts down far below the upper one
CPU, GPU, BATTERY, SKIN = 0, 1, 2, 3  # android.os.Temperature types
PREFERRED = (SKIN, BATTERY, CPU)  # what the throttling policy watches first, and changes slowest
TEMPERATURE = re.compile(r"Temperature\{mValue=([^,}]*), mType=(-?\d{1,3}), mName=([^,}]*), mStatus=(-?\d{1,3})\}")
STATUS = re.compile(r"^\s*Thermal Status:[ \t]*(\S*)[ \t]*$", re.MULTILINE)
HAL = "Current temperatures from HAL:"
NO_SERVICE = "dumpsys thermalservice names no temperature"


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A named sensor; `kind` is the android.os.Temperature type, or None for a zone of the kernel."""

    name: str
    kind: int | None
    reading: Reading


def thermal_status(text: str) -> Reading:
    """0 NONE, 1 LIGHT, 2 MODERATE, 3 SEVERE, 4 CRITICAL, 5 EMERGENCY, 6 SHUTDOWN."""
    found = STATUS.search(text)
    if found is None:
        return Reading(unit=STATUS_UNIT, reason="dumpsys thermalservice tells no thermal status")
    reading = bounded(found.group(1), unit=STATUS_UNIT, what="Thermal Status", low=0, high=6)
    if reading.value is not None and not reading.value.is_integer():
        return Reading(unit=STATUS_UNIT, reason=f"Thermal Status says {found.group(1)[:40]!r}, which is no status")
    return reading


def service_sensors(text: str) -> list[Sensor]:
    """Sensors of `dumpsys thermalservice`: what the HAL says now where that is printed, else what the service remembers."""
    _, hal, current = text.partition(HAL)
    return [
        Sensor(name=name.strip(), kind=int(kind), reading=_celsius(value, f"sensor {name.strip()}"))
        for value, kind, name, _ in TEMPERATURE.findall(current if hal else text)
    ]


def _celsius(text: str, what: str) -> Reading:
    reading = bounded(text, unit=UNIT, what=what, low=LOWEST_C, high=HIGHEST_C)
    if reading.value == 0.0:  # some HALs list sensors that a phone does not have, with exactly 0.0
        return Reading(unit=UNIT, reason=f"{what} says 0.0, which is what an absent sensor gives")
    return reading


def zone_sensors(text: str) -> list[Sensor]:
    """Zones of the kernel, one a line: `type TAB temperature`, in thousandths of a degree (a few drivers: whole degrees)."""
    sensors = []
    for line in text.splitlines():
        name, tab, value = line.partition("\t")
        if tab:
            sensors.append(Sensor(name=name.strip(), kind=None, reading=_zone(value.strip(), f"zone {name.strip()}")))
    return sensors


def _zone(text: str, what: str) -> Reading:
    if "denied" in text.lower():
        return Reading(unit=UNIT, reason=f"{what} is not readable from the shell (permission denied)")
    milli = bounded(text, unit=UNIT, what=what, low=LOWEST_C * 1000, high=HIGHEST_C * 1000)
    if milli.value is None:
        return Reading(unit=UNIT, reason=f"{what} says {text[:40]!r}, which is no temperature")
    if milli.value == 0:
        return Reading(unit=UNIT, reason=f"{what} says 0, which is what an absent sensor gives")
    # below 1 degree in thousandths would be a frozen phone; such numbers are whole degrees
    value = milli.value / 1000 if abs(milli.value) >= 1000 else milli.value
    return bounded(str(value), unit=UNIT, what=what, low=LOWEST_C, high=HIGHEST_C)


def device_temperature(service: list[Sensor], battery: Reading, zones: list[Sensor]) -> Reading:
    """One temperature of the device: skin, battery or CPU of the thermal service, else the fuel gauge, else the hottest zone."""
    for kind in PREFERRED:
        values = [
            sensor.reading.value for sensor in service if sensor.kind == kind and sensor.reading.value is not None
        ]
        if values:
            return Reading(value=max(values), unit=UNIT)
    if battery.value is not None:
        return battery
    hottest = max((sensor.reading.value for sensor in zones if sensor.reading.value is not None), default=None)
    if hottest is not None:
        return Reading(value=hottest, unit=UNIT)
    reasons = [sensor.reading.reason for sensor in (*service, *zones) if sensor.reading.reason]
    first = reasons[0] if reasons else NO_SERVICE
    return Reading(unit=UNIT, reason=f"{first}; {battery.reason}; {len(zones)} thermal zones gave no temperature")
