"""Whether the screen is on, from `dumpsys power` (PowerManagerService), and airplane mode, from the settings."""

from __future__ import annotations

import re

from harness.probes.probe import Probe
from harness.records.run import TextReading

# android.os.PowerManagerInternal.wakefulnessToString; what a dozing phone shows is its clock, dreaming is the screen saver
WAKEFULNESS = {"Awake": "on", "Dreaming": "on", "Dozing": "off", "Asleep": "off"}
SAID = re.compile(r"^[ \t]*mWakefulness=(\S{1,40})", re.MULTILINE)
MODES = {"0": "off", "1": "on"}


def parse_screen(text: str) -> TextReading:
    """`on` or `off`."""
    match = SAID.search(text)
    if match is None:
        return TextReading(reason="dumpsys power tells no wakefulness")
    state = WAKEFULNESS.get(match.group(1))
    return (
        TextReading(value=state)
        if state
        else TextReading(reason=f"dumpsys power tells the wakefulness {match.group(1)!r}")
    )


def read_airplane_mode(text: str) -> TextReading:
    """`on` or `off`, from `settings get global airplane_mode_on`."""
    told = text.strip()
    if told in MODES:
        return TextReading(value=MODES[told])
    return TextReading(reason=f"the setting airplane_mode_on says {told[:40] or 'nothing'!r}")


PROBES = (
    Probe(
        name="screen",
        title="screen",
        meaning="whether the screen is on",
        unit=None,
        shell="dumpsys power 2>&1 | grep mWakefulness=",
        read=parse_screen,
        field="screen",
    ),
    Probe(
        name="airplane_mode",
        title="airplane mode",
        meaning="whether radios are off",
        unit=None,
        shell="settings get global airplane_mode_on 2>&1",
        read=read_airplane_mode,
        field="airplane_mode",
    ),
)
