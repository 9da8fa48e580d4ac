"""Temperature and thermal status from `dumpsys thermalservice` and /sys/class/thermal.

Formats: android.hardware.thermal 2.0 and later as printed by ThermalManagerService; the zones are the kernel's thermal sysfs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.records.run import Reading, TextReading

UNIT, STATUS_UNIT = "degC", "status"
# Beyond these no phone works; silicon shuts down far below the upper one.
LOWEST_C, HIGHEST_C = -40.0, 150.0
# android.os.Temperature types.
CPU, GPU, BATTERY, SKIN, NPU, TPU, SOC = 0, 1, 2, 3, 9, 10, 13
DIE = (
    CPU,
    GPU,
    NPU,
    TPU,
    SOC,
)  # what is hot within a second of load, and cools as fast: no measure of the phone's state
# Some Samsungs count their types from 1 and name sensors by them: the name is right.
NAMED = {"TYPE_CPU": CPU, "TYPE_GPU": GPU, "TYPE_BATTERY": BATTERY, "TYPE_SKIN": SKIN, "TYPE_NPU": NPU, "TYPE_SOC": SOC}
# zones of the kernel by name: the case that a hand feels, the battery, and what is no temperature (charge, volts and amperes)
SKIN_ZONE = re.compile(r"(^|[-_])(skin|quiet|shell|case|xo|msm|back|front)([-_]|$)|^system_h$", re.IGNORECASE)
BATTERY_ZONE = re.compile(
    r"(^|[-_])(battery|batt|bat|mtktsbattery)([-_]|$)|^mtktsbattery$|^maxfg$|^bms$", re.IGNORECASE
)
DIE_ZONE = re.compile(
    r"(^|[-_])(a?cpu|gpu|npu|nsp|tpu|big|little|mid|cluster|soc)([-_0-9]|$)|^mtktscpu$|^tsens|_thermal$", re.IGNORECASE
)
NO_ZONE = re.compile(r"^socd?$|(^|[-_])(ibat|vbat|bcl|vph|isense|lvl[0-9])([-_]|$)", re.IGNORECASE)
OVERRIDDEN = "its thermal status is set by hand; run 'adb shell cmd thermalservice reset'"
OVERRIDE = re.compile(r"^\s*IsStatusOverride:[ \t]*true[ \t]*$", re.MULTILINE)
TEMPERATURE = re.compile(r"Temperature\{mValue=([^,}]*), mType=(-?\d{1,3}), mName=([^,}]*), mStatus=(-?\d{1,3})\}")
STATUS = re.compile(r"^\s*Thermal Status:[ \t]*(\S*)[ \t]*$", re.MULTILINE)
HAL = "Current temperatures from HAL:"
NO_SERVICE = "dumpsys thermalservice names no temperature"


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A named sensor; `kind` is the android.os.Temperature type, or None for a zone of the kernel and for what is of no interest."""

    name: str
    kind: int | None
    reading: Reading


def read_thermal_status(text: str) -> Reading:
    """0 NONE, 1 LIGHT, 2 MODERATE, 3 SEVERE, 4 CRITICAL, 5 EMERGENCY, 6 SHUTDOWN."""
    if OVERRIDE.search(text):
        return Reading(unit=STATUS_UNIT, reason=OVERRIDDEN)
    match = STATUS.search(text)
    if match is None:
        return Reading(unit=STATUS_UNIT, reason="dumpsys thermalservice tells no thermal status")
    reading = parse_bounded(match.group(1), unit=STATUS_UNIT, what="Thermal Status", low=0, high=6)
    if reading.value is not None and not reading.value.is_integer():
        return Reading(unit=STATUS_UNIT, reason=f"Thermal Status says {match.group(1)[:40]!r}, which is no status")
    return reading


def read_service_sensors(text: str) -> list[Sensor]:
    """Sensors of `dumpsys thermalservice`: what the HAL says now where that is printed, else what the service remembers."""
    _, hal, current = text.partition(HAL)
    return [
        Sensor(
            name=name.strip(),
            kind=find_kind(name.strip(), int(kind)),
            reading=_celsius(value, f"sensor {name.strip()}"),
        )
        for value, kind, name, _ in TEMPERATURE.findall(current if hal else text)
    ]


def find_kind(name: str, kind: int) -> int | None:
    """The type of a service's sensor; None where its name says another one that is of no interest."""
    return NAMED.get(name) if name.startswith("TYPE_") else kind


def _celsius(text: str, what: str) -> Reading:
    reading = parse_bounded(text, unit=UNIT, what=what, low=LOWEST_C, high=HIGHEST_C)
    if reading.value == 0.0:  # some HALs list sensors that a phone does not have, with exactly 0.0
        return Reading(unit=UNIT, reason=f"{what} says 0.0, which is what an absent sensor gives")
    return reading


def read_zone_sensors(text: str) -> list[Sensor]:
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
    milli = parse_bounded(text, unit=UNIT, what=what, low=LOWEST_C * 1000, high=HIGHEST_C * 1000)
    if milli.value is None:
        return Reading(unit=UNIT, reason=f"{what} says {text[:40]!r}, which is no temperature")
    if milli.value == 0:
        return Reading(unit=UNIT, reason=f"{what} says 0, which is what an absent sensor gives")
    # below 1 degree in thousandths would be a frozen phone; such numbers are whole degrees
    value = milli.value / 1000 if abs(milli.value) >= 1000 else milli.value
    return parse_bounded(str(value), unit=UNIT, what=what, low=LOWEST_C, high=HIGHEST_C)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A temperature and what it is of: `skin VIRTUAL-SKIN`, `battery`."""

    reading: Reading
    of: TextReading


def choose_device_temperature(service: list[Sensor], battery: Reading, zones: list[Sensor]) -> Named:
    """The phone's own: of the skin, else of the battery; never of the die, which says how hard it works and not how warm it is.

    `battery` is what the battery's service tells. Of several sensors the warmest counts.
    """
    skin = [sensor for sensor in service if sensor.kind == SKIN]
    cells = [sensor for sensor in service if sensor.kind == BATTERY]
    named = [zone for zone in zones if not NO_ZONE.search(zone.name)]
    chosen = _warmest("skin", skin)
    if chosen is None and battery.value is not None:
        chosen = Named(reading=battery, of=TextReading(value="battery"))
    chosen = chosen or _warmest("battery", cells)
    chosen = chosen or _warmest("skin", [zone for zone in named if SKIN_ZONE.search(zone.name)])
    chosen = chosen or _warmest("battery", [zone for zone in named if BATTERY_ZONE.search(zone.name)])
    if chosen is not None:
        return chosen
    reasons = [sensor.reading.reason for sensor in (*skin, *cells) if sensor.reading.reason]
    why = f"{reasons[0] if reasons else NO_SERVICE}; {battery.reason}; none of {len(zones)} thermal zones is of the skin or the battery"
    return Named(reading=Reading(unit=UNIT, reason=why), of=TextReading(reason=why))


def choose_die_temperature(service: list[Sensor], zones: list[Sensor]) -> Named:
    """The hottest part of the chip."""
    named = [zone for zone in zones if DIE_ZONE.search(zone.name) and not NO_ZONE.search(zone.name)]
    warmest = _warmest("die", [sensor for sensor in service if sensor.kind in DIE]) or _warmest("die", named)
    why = "no sensor of the processors tells a temperature"
    return warmest or Named(reading=Reading(unit=UNIT, reason=why), of=TextReading(reason=why))


def _warmest(what: str, sensors: list[Sensor]) -> Named | None:
    known = [(sensor.reading.value, sensor.name) for sensor in sensors if sensor.reading.value is not None]
    if not known:
        return None
    value, name = max(known)
    return Named(reading=Reading(value=value, unit=UNIT), of=TextReading(value=f"{what} {name}"[:60]))


PROBES = (
    Probe(
        name="temperature",
        title="temperature",
        meaning="the device's temperature, as its system tells it",
        unit=UNIT,
        field="temperature_c",
    ),
    Probe(
        name="thermal_status",
        title="thermal status",
        meaning="Android's thermal status, 0 to 6; iOS's thermal state on the same scale",
        unit=STATUS_UNIT,
        field="thermal_status",
    ),
    Probe(
        name="temperature_of",
        title="temperature of",
        meaning="the sensor that the temperature is of",
        unit=None,
        field="temperature_of",
    ),
    Probe(
        name="die",
        title="temperature of the processors",
        meaning="the temperature of the hottest processor",
        unit=UNIT,
        field="die_c",
    ),
)
