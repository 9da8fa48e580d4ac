"""CPU clocks from /sys/devices/system/cpu/cpuN/cpufreq/scaling_cur_freq, which the kernel gives in kHz."""

from __future__ import annotations

import re

from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.records.run import Reading

# What no processor of a phone goes below or above: other numbers are in another unit, or none.
LOWEST_MHZ, HIGHEST_MHZ = 1.0, 10_000.0
CPU = re.compile(r"cpu([0-9]{1,4})")


def read_clocks_mhz(text: str) -> tuple[Reading, ...]:
    """Clock of each CPU in order of its number, from lines `cpuN TAB kHz`; one null reading when there are no such lines."""
    clocks: dict[int, Reading] = {}
    for line in text.splitlines():
        name, _, value = line.partition("\t")
        match = CPU.fullmatch(name.strip())
        if match is not None:
            clocks[int(match.group(1))] = _clock(value.strip(), match.group(0))
    if not clocks:
        return (Reading(unit="MHz", reason="the device shows no CPU clocks"),)
    return tuple(clocks[number] for number in sorted(clocks))


def _clock(text: str, cpu: str) -> Reading:
    if "denied" in text.lower():
        return Reading(unit="MHz", reason=f"the clock of {cpu} is not readable from the shell (permission denied)")
    return parse_bounded(text, unit="MHz", what=f"the clock of {cpu}", low=LOWEST_MHZ, high=HIGHEST_MHZ, scale=1e-3)


PROBES = (
    Probe(name="clock", title="CPU clocks", meaning="the mean clock of the processors", unit="MHz", field="clocks_mhz"),
    Probe(
        name="clock_limit",
        title="limits of the clocks",
        meaning="the mean of the highest clocks that the processors may take",
        unit="MHz",
        field="clock_limits_mhz",
    ),
)
