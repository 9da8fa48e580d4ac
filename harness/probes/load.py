"""What runs on the processors: the load average, and processor time between two looks at /proc/stat.

Formats: proc_loadavg(5), proc_stat(5); the kernel counts processor time in hundredths of a second (USER_HZ).
"""

from __future__ import annotations

import re

from harness.probes.numbers import parse_bounded
from harness.probes.probe import Probe
from harness.records.run import Reading

LOAD_UNIT, TIME_UNIT, SHARE_UNIT = "programs", "s", "%"
# USER_HZ, in which Linux tells these counters on every device.
TICKS_PER_S = 100
# Of processor time: below it the kernel's steps are a twentieth of the whole and more.
SHORTEST_S = 0.2
# Three years of processor time between two texts: a larger count is a fault.
LONGEST_S = 1e8
# More programs than a phone can hold: a fault.
HIGHEST_LOAD = 100_000.0
# Over which the background load is seen: the kernel counts in hundredths of a second on each CPU.
LOOK_S = 0.5
LATER = "edgebundle-later"
LOOK = "cat /proc/stat 2>&1 | grep -e '^cpu ' -e denied"
LOOKS = f"{LOOK}; sleep {LOOK_S}; echo {LATER}; {LOOK}"
LOAD = re.compile(
    r"^([0-9.]{1,18}) [0-9.]{1,18} [0-9.]{1,18} [0-9]{1,9}/[0-9]{1,9} [0-9]{1,10}$", re.MULTILINE | re.ASCII
)
ALL_CPUS = re.compile(r"^cpu((?:[ \t]+[0-9]{1,18}){4,10})[ \t]*$", re.MULTILINE)
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)  # what follows (guests) is in USER and NICE already
PROCESS = re.compile(
    r"^[0-9]{1,10} \(.*\) [A-Za-z](?: -?[0-9]{1,20}){10} ([0-9]{1,12}) ([0-9]{1,12}) ", re.MULTILINE | re.ASCII
)
CLOCK = re.compile(r"([0-9]{1,9})m([0-9]{1,2})[.,]([0-9]{1,6})s")


def load_average(text: str) -> Reading:
    """Programs that ran or wanted to, on average over the last minute. Kernel threads that wait for a device count too."""
    match = LOAD.search(text)
    if match is None:
        reason = (
            "/proc/loadavg is not readable from the shell (permission denied)"
            if _is_denied(text)
            else "/proc/loadavg tells no load"
        )
        return Reading(unit=LOAD_UNIT, reason=reason)
    return parse_bounded(match.group(1), unit=LOAD_UNIT, what="the load average", low=0, high=HIGHEST_LOAD)


def read_processor_time(before: str, after: str) -> tuple[Reading, Reading]:
    """Processor seconds that passed between two texts of /proc/stat (duration times CPUs), and those in which a program ran."""
    first, second = _counters(before), _counters(after)
    if first is None or second is None:
        denied = _is_denied(before) or _is_denied(after)
        return _unknown(
            "/proc/stat is not readable from the shell (permission denied)" if denied else "/proc/stat tells no times"
        )
    busy, idle = second[0] - first[0], second[1] - first[1]
    if busy < 0 or idle < 0 or busy + idle == 0 or busy + idle > LONGEST_S * TICKS_PER_S:
        return _unknown(f"the times in /proc/stat cannot be: {busy} busy and {idle} idle hundredths of a second passed")
    return Reading(value=(busy + idle) / TICKS_PER_S, unit=TIME_UNIT), Reading(value=busy / TICKS_PER_S, unit=TIME_UNIT)


def read_own_time(text: str) -> Reading:
    """Processor seconds of the programs that a shell started, from what `times` prints: its own, then theirs, each user and system."""
    times = CLOCK.findall(text)
    if len(times) != 4:
        return Reading(unit=TIME_UNIT, reason="the shell does not tell the processor time of what it started")
    return Reading(value=round(sum(int(m) * 60 + float(f"{s}.{part}") for m, s, part in times[2:]), 6), unit=TIME_UNIT)


def read_app_time(text: str) -> Reading:
    """Processor seconds of a process, from its /proc/PID/stat: fields 14 and 15, counted behind the name, which may hold anything."""
    match = PROCESS.search(text)
    if match is None:
        return Reading(unit=TIME_UNIT, reason="the app's processor time is not readable from the shell")
    return Reading(value=(int(match.group(1)) + int(match.group(2))) / TICKS_PER_S, unit=TIME_UNIT)


def measure_background_load(passed: Reading, busy: Reading, own: Reading) -> Reading:
    """Percent of all processors that others than the benchmark used."""
    if passed.value is None or busy.value is None or own.value is None:
        return Reading(unit=SHARE_UNIT, reason=passed.reason or busy.reason or own.reason)
    if passed.value < SHORTEST_S:
        return Reading(unit=SHARE_UNIT, reason=f"{passed.value:g} s of processor time are too short to tell")
    share = min(max((busy.value - own.value) / passed.value, 0.0), 1.0)
    return Reading(value=round(100 * share, 2), unit=SHARE_UNIT)


def _counters(text: str) -> tuple[int, int] | None:
    """Hundredths of a second that all CPUs were busy and idle since the start of the system."""
    match = ALL_CPUS.search(text)
    if match is None:
        return None
    told = [int(field) for field in match.group(1).split()] + [0] * 8
    return sum(told[place] for place in (USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL)), told[IDLE] + told[IOWAIT]


def _unknown(reason: str) -> tuple[Reading, Reading]:
    return Reading(unit=TIME_UNIT, reason=reason), Reading(unit=TIME_UNIT, reason=reason)


def _is_denied(text: str) -> bool:
    return "denied" in text.lower()


def load_between(text: str) -> Reading:
    """Percent of all processors that were in use between the two looks of LOOKS, while nothing was measured."""
    before, _, after = text.partition(f"\n{LATER}\n")
    return measure_background_load(*read_processor_time(before, after), Reading(value=0.0, unit=TIME_UNIT))


PROBES = (
    Probe(
        name="background_load",
        title="load by other programs",
        meaning="processors in use while nothing was measured",
        unit=SHARE_UNIT,
        shell=LOOKS,
        read=load_between,
        field="background_load",
    ),
    Probe(
        name="load_average",
        title="load average",
        meaning="programs that ran or wanted to, over the last minute",
        unit=LOAD_UNIT,
        shell="cat /proc/loadavg 2>&1",
        read=load_average,
        field="load_average",
    ),
)
