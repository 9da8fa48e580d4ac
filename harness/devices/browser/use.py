"""What the processors of this computer did while a browser measured, and how much of it was the browser's own."""

from __future__ import annotations

import psutil

from harness.records.run import ProcessorUse, Reading

Times = tuple[float, float, float]


def read_processor_time(pid: int) -> Times:
    """Processor seconds since the start of the system: passed (all CPUs), busy, and those of the process with all that it started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # what guests use is in `user` and `nice` already
    passed = sum(value for name, value in times._asdict().items() if name not in ("guest", "guest_nice"))
    own = 0.0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        tree = []
    for member in tree:
        try:
            used = member.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended between the listing and the question
        own += used.user + used.system
    return passed, passed - idle, own


def measure_processor_use(before: Times, after: Times) -> ProcessorUse:
    """What was done between two looks."""
    passed, busy, own = (round(max(last - first, 0.0), 3) for first, last in zip(before, after, strict=True))
    return ProcessorUse(
        passed_s=Reading(value=passed, unit="s"),
        busy_s=Reading(value=busy, unit="s"),
        own_s=Reading(value=own, unit="s"),
    )
