"""Benchmarks on the virtual clock of a physical phone: the runner executes under QEMU, once, and the time that it would take is the model's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.emulated_phone.physics import PhysicalPhone

COUNTS = re.compile(r"--warmup (\d+) --runs (\d+)")
TICKS_PER_S = 100
# What one inference takes at full clock on a cool phone, in seconds: any, or by how the sha256 of the model file begins (16 digits).
Level = float | Mapping[str, float]
MODEL = re.compile(r"model-([0-9a-f]{16})\.")


@dataclass(frozen=True, kw_only=True)
class VirtualRun:
    """`command` is what is executed instead; durations in seconds, in their order."""

    command: str
    warmup: int
    took_s: tuple[float, ...]

    @property
    def environment(self) -> dict[str, str]:
        """For the shell's counters: two CPUs, one of which was busy, and the processor time of the benchmark."""
        ticks = round(sum(self.took_s) * TICKS_PER_S)
        own = f"{ticks // (60 * TICKS_PER_S)}m{ticks / TICKS_PER_S % 60:.2f}s 0m0.00s"
        return {"PHONE_RAN": f"{ticks} {ticks}", "PHONE_OWN": own}

    def told(self, printed: bytes) -> bytes:
        """What the runner printed, with the model's durations."""
        nanoseconds = [round(seconds * 1e9) for seconds in self.took_s]
        latencies = ",".join(map(str, nanoseconds[self.warmup :]))
        for name, value in (("latency_ns", f"[{latencies}]"), ("first_ns", nanoseconds[0]), ("warmup", self.warmup)):
            printed = re.sub(rb'"%s":(\[[^\]]*\]|\d+)' % name.encode(), f'"{name}":{value}'.encode(), printed)
        return printed


def make_virtual_run(command: str, physics: PhysicalPhone, level_s: Level) -> VirtualRun | None:
    """A benchmark that this command line starts, with what it does to the phone; None for any other command."""
    found = COUNTS.search(command)
    if found is None:
        return None
    warmup, runs = int(found.group(1)), int(found.group(2))
    level = _find_level(command, level_s) if isinstance(level_s, Mapping) else level_s
    physics.begin_run()
    took = tuple(physics.infer(level) for _ in range(warmup + runs))
    return VirtualRun(command=COUNTS.sub("--warmup 1 --runs 1", command), warmup=warmup, took_s=took)


def _find_level(command: str, levels_s: Mapping[str, float]) -> float:
    """Of the model file that the command line names. Raises KeyError for one without a level."""
    found = MODEL.search(command)
    assert found is not None, f"{command} names no model"
    return levels_s[found.group(1)]
