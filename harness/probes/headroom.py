"""Thermal headroom: how near a phone is to severe throttling, 1.0 being there, as PowerManager.getThermalHeadroom tells apps.

Newer builds of Android print it for `cmd thermalservice headroom SECONDS` (ThermalManagerService.runHeadroom). Elsewhere its definition
(TemperatureWatcher.normalizeTemperature) is applied to the skin sensors and their thresholds, which `dumpsys thermalservice` prints where the HAL tells them.
"""

from __future__ import annotations

import re

from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.probes.temperature import SKIN, find_kind, read_service_sensors
from harness.records.run import Reading

UNIT = "headroom"
# 1 is where severe throttling begins: ten times that is no temperature.
HIGHEST = 10.0
# Between the headroom 0.0 and 1.0.
DEGREES = 30.0
# Place among the thresholds, which begin with that of the status NONE.
SEVERE = 3
SAID = re.compile(r"^Headroom in 0 seconds:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
THRESHOLD = re.compile(
    r"TemperatureThreshold\{mType=(-?\d{1,3}), mName=([^,}]*), mHotThrottlingThresholds=\[([^\]\n]*)\]"
)
# as the HAL 2.0's own objects print themselves
HAL_THRESHOLD = re.compile(r"\{\.type = ([A-Z_]{1,20}), \.name = ([^,}]*), \.hotThrottlingThresholds = \[([^\]\n]*)\]")


def read_thermal_headroom(said: str, service: str) -> Reading:
    """`said` is the answer of `cmd thermalservice headroom 0`, `service` that of `dumpsys thermalservice`."""
    match = SAID.search(said)
    if match is not None:
        return parse_bounded(match.group(1), unit=UNIT, what="thermal headroom", low=0, high=HIGHEST)
    return _compute(service)


def _compute(service: str) -> Reading:
    severe = {
        name.strip(): text
        for kind, name, values in (*THRESHOLD.findall(service), *HAL_THRESHOLD.findall(service))
        if (find_kind(name.strip(), int(kind)) == SKIN if kind.lstrip("-").isdecimal() else kind == "SKIN")
        and len(hot := values.split(",")) > SEVERE
        and (text := hot[SEVERE].strip()) != "NaN"
    }
    if not severe:
        reason = "its thermal service answers no headroom and prints no threshold of the skin for severe throttling"
        return Reading(unit=UNIT, reason=reason)
    headrooms, reasons = [], []
    for sensor in read_service_sensors(service):
        if sensor.kind != SKIN or sensor.name not in severe:
            continue
        what = f"the threshold of {sensor.name}"
        limit = parse_bounded(severe[sensor.name], unit="degC", what=what, low=0, high=150)
        if sensor.reading.value is None or limit.value is None:
            reasons.append(str(sensor.reading.reason or limit.reason))
            continue
        headrooms.append(max(0.0, 1 - (limit.value - sensor.reading.value) / DEGREES))
    if not headrooms:
        return Reading(
            unit=UNIT, reason=reasons[0] if reasons else "it tells thresholds of the skin, but no temperature of it"
        )
    return Reading(value=round(max(headrooms), 4), unit=UNIT)


PROBES = (
    Probe(
        name="thermal_headroom",
        title="thermal headroom",
        meaning="1.0 is where severe throttling begins",
        unit=UNIT,
        shell="cmd thermalservice headroom 0 2>&1",
        field="thermal_headroom",
    ),
)
