"""Battery voltage and current from /sys/class/power_supply, for the energy of an inference.

The kernel's unit is a millionth of a volt and of an ampere (Documentation/ABI/testing/sysfs-class-power). Some vendors' fuel gauges
give thousandths instead, and the sign of a current that leaves the battery differs: the sign is kept as told.
"""

from __future__ import annotations

from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.records.run import Reading

VOLT, AMPERE = "V", "A"
# An empty cell; packs of several cells in tablets.
LOWEST_V, HIGHEST_V = 2.0, 30.0
# More than the fastest chargers give: other numbers are in another unit.
HIGHEST_A = 20.0
# A voltage below this is in thousandths: 0.1 V would be no battery.
MILLIVOLTS = 100_000.0
# So is a current: a phone that computes draws far more than 10 mA.
MILLIAMPERES = 10_000.0
GAUGES = (
    "battery",
    "bms",
    "main-battery",
    "maxfg",
    "max77759fg",
    "sec-fuelgauge",
)  # Android's own name first, then vendors'


def parse_power_fields(text: str) -> dict[str, dict[str, str]]:
    """Supply -> file -> content, from lines `supply TAB file TAB content`; of a file that comes twice the first one counts."""
    fields: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        supply, _, rest = line.partition("\t")
        name, tab, value = rest.partition("\t")
        if tab:
            fields.setdefault(supply.strip(), {}).setdefault(name.strip(), value.strip())
    return fields


def read_battery_voltage(text: str) -> Reading:
    """Volts of the first gauge that tells them."""
    return _first(text, "voltage_now", VOLT, MILLIVOLTS, LOWEST_V, HIGHEST_V)


def read_battery_current(text: str) -> Reading:
    """Amperes of the first gauge that tells them; exactly 0 is what a gauge without a sensor gives."""
    return _first(text, "current_now", AMPERE, MILLIAMPERES, -HIGHEST_A, HIGHEST_A)


def _first(text: str, name: str, unit: str, thousandths_below: float, low: float, high: float) -> Reading:
    fields = parse_power_fields(text)
    reasons = []
    for gauge in GAUGES:
        told = fields.get(gauge, {}).get(name)
        if told is None:
            continue
        reading = _reading(told, f"{gauge}/{name}", unit, thousandths_below, low, high)
        if reading.value is not None:
            return reading
        reasons.append(str(reading.reason))
    return Reading(unit=unit, reason=reasons[0] if reasons else f"no fuel gauge tells {name}")


def _reading(told: str, what: str, unit: str, thousandths_below: float, low: float, high: float) -> Reading:
    if "denied" in told.lower():
        return Reading(unit=unit, reason=f"{what} is not readable from the shell (permission denied)")
    raw = parse_bounded(told, unit=unit, what=what, low=-1e9, high=1e9)
    if raw.value is None:
        return raw
    if raw.value == 0:
        return Reading(unit=unit, reason=f"{what} says 0, which is what an absent sensor gives")
    return parse_bounded(
        told, unit=unit, what=what, low=low, high=high, scale=1e-3 if abs(raw.value) < thousandths_below else 1e-6
    )


PROBES = (
    Probe(
        name="battery_voltage",
        title="battery voltage",
        meaning="what the fuel gauge tells",
        unit=VOLT,
        field="battery_v",
    ),
    Probe(
        name="battery_current",
        title="battery current",
        meaning="what the fuel gauge tells, with the vendor's sign",
        unit=AMPERE,
        field="battery_a",
    ),
)
