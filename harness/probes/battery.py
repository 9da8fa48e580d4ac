"""Charge, charging and temperature from `dumpsys battery` (BatteryService; status as in android.os.BatteryManager)."""

from __future__ import annotations

from harness.probes.numbers import INTEGER, parse_bounded
from harness.probes.probe import Probe
from harness.records.run import Reading, TextReading

STATUS = {2: "charging", 3: "discharging", 4: "not charging", 5: "full"}
STOPPED = "its battery service was told to stop its updates; run 'adb shell dumpsys battery reset'"
UPDATES_STOPPED = "(UPDATES STOPPED"
# Of a cell that a phone can run on; a few services tell whole volts.
EMPTIEST_MV = 2000
WHOLE_VOLTS = range(3, 10)
SOURCES = {"AC powered": "AC", "USB powered": "USB", "Wireless powered": "wireless", "Dock powered": "dock"}


def parse_battery_fields(text: str) -> dict[str, str]:
    """`name: value` lines of the dump; of a name that comes twice the first one counts."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def explain_no_battery(text: str, fields: dict[str, str]) -> str | None:
    """Why the dump tells nothing of a battery: it is frozen, or there is none. TVs and boxes tell one of some millivolts."""
    if UPDATES_STOPPED in text:
        return STOPPED
    voltage = fields.get("voltage", "")
    millivolts = int(voltage) if INTEGER.fullmatch(voltage) else 0
    if 0 < millivolts < EMPTIEST_MV and millivolts not in WHOLE_VOLTS:
        return f"the device tells a battery of {millivolts} mV, which is none"
    return None


def read_battery_percent(text: str) -> Reading:
    """Charge in percent: `level` of `scale`."""
    fields = parse_battery_fields(text)
    if (reason := explain_no_battery(text, fields)) is not None:
        return Reading(unit="%", reason=reason)
    if fields.get("present") == "false":
        return Reading(unit="%", reason="the device says that no battery is present")
    level, scale = fields.get("level"), fields.get("scale", "100")
    if level is None:
        return Reading(unit="%", reason="dumpsys battery tells no level")
    if not INTEGER.fullmatch(scale) or int(scale) <= 0:
        return Reading(unit="%", reason=f"dumpsys battery tells the scale {scale[:40]!r}")
    return parse_bounded(level, unit="%", what="battery level", low=0, high=100, scale=100 / int(scale))


def read_battery_temperature(text: str) -> Reading:
    """Temperature of the battery; the dump gives tenths of a degree. 0 is what a fuel gauge without a sensor gives."""
    fields = parse_battery_fields(text)
    if (reason := explain_no_battery(text, fields)) is not None:
        return Reading(unit="degC", reason=reason)
    told = fields.get("temperature")
    if told is None:
        return Reading(unit="degC", reason="dumpsys battery tells no temperature")
    reading = parse_bounded(told, unit="degC", what="battery temperature", low=-40, high=100, scale=0.1)
    if reading.value == 0.0:
        return Reading(unit="degC", reason="battery temperature says 0, which is what an absent sensor gives")
    return reading


def parse_charging(text: str) -> TextReading:
    """`charging (USB)`, `discharging`, `not charging (USB)`, `full (AC)`: the state and what powers the device."""
    fields = parse_battery_fields(text)
    if UPDATES_STOPPED in text:
        return TextReading(reason=STOPPED)
    told = fields.get("status")
    if told is None:
        return TextReading(reason="dumpsys battery tells no status")
    state = STATUS.get(int(told)) if INTEGER.fullmatch(told) else None
    if state is None:
        return TextReading(reason=f"dumpsys battery tells the status {told[:40]!r}, which has no meaning")
    sources = [short for name, short in SOURCES.items() if fields.get(name) == "true"]
    return TextReading(value=f"{state} ({', '.join(sources)})" if sources else state)


PROBES = (
    Probe(name="battery", title="battery", meaning="the battery's charge", unit="%", field="battery_percent"),
    Probe(
        name="charging",
        title="charging",
        meaning="whether the battery charges, and from what",
        unit=None,
        field="charging",
    ),
)
