"""From a text that should be a number to a reading within physical limits."""

from __future__ import annotations

import re

from harness.records.run import Reading

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?")
# Characters of a wrong text that a reason repeats.
SHOWN = 40


def parse_bounded(text: str, *, unit: str, what: str, low: float, high: float, scale: float = 1.0) -> Reading:
    """`text` times `scale`, when it is a decimal number and the result lies within low..high; else null with the reason.

    The limits are what rejects sentinels (-273000, 2147483647, ...): they are far outside of what can be.
    """
    stripped = text.strip()
    if not DECIMAL.fullmatch(stripped):
        shown = stripped[:SHOWN] or "nothing"
        return Reading(unit=unit, reason=f"{what} says {shown!r}, which is no number")
    value = float(stripped) * scale
    if not low <= value <= high:
        return Reading(
            unit=unit, reason=f"{what} says {stripped[:SHOWN]}, which cannot be ({low:g} to {high:g} {unit})"
        )
    return Reading(value=value, unit=unit)
