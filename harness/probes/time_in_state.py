"""Time at each clock, from /sys/devices/system/cpu/cpufreq/policyN/stats/time_in_state, between two looks.

Format: Documentation/cpu-freq/cpufreq-stats of the kernel: lines of kHz and hundredths of a second, idle time included. The harness's loop
puts a line `policyN TAB CPUs` before the lines of each policy, which is a group of CPUs that share their clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.probes.clocks import HIGHEST_MHZ, LOWEST_MHZ
from harness.probes.load import LONGEST_S, TICKS_PER_S
from harness.records.run import TimeInState

HEAD = re.compile(r"(policy[0-9]{1,4})\t(.*)")
CPUS = re.compile(r"[0-9]{1,4}( [0-9]{1,4}){0,63}")
STATE = re.compile(r"([0-9]{1,18})[ \t]+([0-9]{1,18})")


@dataclass(kw_only=True)
class Policy:
    """Hundredths of a second at each clock in kHz since the start of the system; `denied` where that may not be read."""

    cpus: str
    ticks: dict[int, int] = field(default_factory=dict)
    denied: bool = False


def measure_time_in_state(before: str, after: str) -> tuple[TimeInState, ...]:
    """Seconds at each clock between two looks, of each policy in order of its number; empty where the device shows no policies."""
    first, second = _policies(before), _policies(after)
    names = sorted(first.keys() | second.keys(), key=lambda name: int(name.removeprefix("policy")))
    return tuple(_between(name, first.get(name), second.get(name)) for name in names)


def _policies(text: str) -> dict[str, Policy]:
    policies: dict[str, Policy] = {}
    now: Policy | None = None
    for line in text.splitlines():
        if head := HEAD.fullmatch(line):
            cpus = head.group(2).strip()
            now = policies[head.group(1)] = Policy(cpus=cpus if CPUS.fullmatch(cpus) else "")
        elif now is not None and (state := STATE.fullmatch(line.strip())):
            now.ticks[int(state.group(1))] = int(state.group(2))
        elif now is not None and "denied" in line.lower():
            now.denied = True
    return policies


def _between(name: str, first: Policy | None, second: Policy | None) -> TimeInState:
    cpus = (second or first or Policy(cpus="")).cpus
    if (first and first.denied) or (second and second.denied):
        return TimeInState(policy=name, cpus=cpus, reason="not readable from the shell (permission denied)")
    if first is None or second is None or not first.ticks or first.ticks.keys() != second.ticks.keys():
        return TimeInState(policy=name, cpus=cpus, reason="its clocks were not told both before and after")
    if not all(LOWEST_MHZ * 1000 <= khz <= HIGHEST_MHZ * 1000 for khz in first.ticks):
        return TimeInState(policy=name, cpus=cpus, reason="it tells clocks that cannot be")
    clocks = sorted(first.ticks)
    passed = [second.ticks[khz] - first.ticks[khz] for khz in clocks]
    if min(passed) < 0 or not 0 < sum(passed) <= LONGEST_S * TICKS_PER_S:
        return TimeInState(policy=name, cpus=cpus, reason="its times did not move, or not forwards")
    return TimeInState(
        policy=name,
        cpus=cpus,
        mhz=tuple(khz / 1000 for khz in clocks),
        seconds=tuple(ticks / TICKS_PER_S for ticks in passed),
    )
