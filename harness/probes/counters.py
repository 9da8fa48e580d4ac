"""What the processors did during a pass: the kernel's counters, printed by one command line before and after the benchmark.

Nothing is read while the benchmark runs, and nothing of the transfer over adb lies between the two looks.
"""

from __future__ import annotations

from harness.probes.load import read_app_time, read_own_time, read_processor_time
from harness.probes.time_in_state import measure_time_in_state
from harness.records.run import ProcessorUse, Reading

MARK, TIMES = "edgebundle-counters", "edgebundle-times"
COUNTERS = (
    f"echo; echo {MARK}; cat /proc/stat 2>&1 | grep -e '^cpu' -e denied; for p in /sys/devices/system/cpu/cpufreq/policy*; do "
    '[ ! -e "$p/stats/time_in_state" ] || { echo "${p##*/}\t$(cat "$p/related_cpus" 2>&1)"; cat "$p/stats/time_in_state" 2>&1; }; done'
)


def count(command: str) -> str:
    """A command line of the device's shell that prints the counters around `command`, and ends with its status."""
    return f"{COUNTERS}; {command}; edgebundle_own=$?; {COUNTERS}; echo {TIMES}; times; exit $edgebundle_own"


def parse_use(text: str) -> ProcessorUse:
    """From all that the command line of `counted` printed."""
    parts = text.split(f"\n{MARK}\n")
    if len(parts) != 3:
        return _unknown(f"the counters came {len(parts) - 1} times instead of twice")
    after, _, times = parts[2].partition(f"\n{TIMES}\n")
    return measure_processor_use(parts[1], after, read_own_time(times))


def measure_app_use(before: str, after: str) -> ProcessorUse:
    """From the texts of two command lines, the second of which tells the app's own counters behind the line of TIMES."""
    counters, _, own = after.partition(f"{TIMES}\n")
    return measure_processor_use(before, counters, read_app_time(own))


def measure_processor_use(before: str, after: str, own: Reading) -> ProcessorUse:
    passed, busy = read_processor_time(before, after)
    return ProcessorUse(time_in_state=measure_time_in_state(before, after), passed_s=passed, busy_s=busy, own_s=own)


def _unknown(reason: str) -> ProcessorUse:
    none = Reading(unit="s", reason=reason)
    return ProcessorUse(passed_s=none, busy_s=none, own_s=none)
