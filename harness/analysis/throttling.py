"""What a run over minutes shows: throughput on the time axis of the probes, when it fell, what stayed, and what an inference costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.records.run import Reading, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The first minute is what users see of a short use, and reports of sustained performance tell it.
MINUTE_S = 60.0
# Throughput is told for windows of this length, or of a 240th of the run where that is longer.
WINDOW_S = 10.0
# What a plot can show side by side.
MOST_WINDOWS = 240
# Of the peak; a fall to less that lasts for three windows is throttling.
THROTTLED_AT = 0.9
# Windows one after another: one or two are a background task.
LASTING = 3
COUNTER = "inferences"  # probe that tells how many inferences were done at a moment; places latencies on the time axis


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over time; `t_s` counts from the start of the run."""

    name: str
    unit: str
    t_s: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Throttling:
    """Throughput in inferences per second: in windows, of the first and the last minute, and the best window.

    `throttled_after_s` is the start of the first lasting fall below 90 % of the best; None when there was none.
    """

    throughput: Curve
    first_minute: float
    last_minute: float
    peak: float
    throttled_after_s: float | None

    @property
    def sustained_ratio(self) -> float:
        return self.last_minute / self.peak


def find_throttling(run: Run) -> Throttling | None:
    """None for a run that is too short to have a first and a last minute, or that has no latencies."""
    seconds = np.asarray(run.latency_ns, np.float64) / 1e9
    if seconds.size == 0 or seconds.min() <= 0:
        return None
    ends = _moments(run, seconds)
    total = float(ends[-1])
    if total < 2 * MINUTE_S:
        return None
    window = max(WINDOW_S, total / MOST_WINDOWS)
    place = np.minimum((ends / window).astype(np.intp), int(np.ceil(total / window)) - 1)
    count = np.bincount(place).astype(np.float64)
    busy = np.bincount(place, weights=seconds)
    told = np.flatnonzero(count)  # a window without an inference tells nothing
    rates = count[told] / busy[told]
    peak = float(rates.max())
    low = rates < THROTTLED_AT * peak
    lasting = [index for index in range(low.size - LASTING + 1) if low[index : index + LASTING].all() and index > 0]
    return Throttling(
        throughput=Curve(
            name="throughput",
            unit="1/s",
            t_s=tuple(float(value) for value in (told + 0.5) * window),
            values=tuple(float(value) for value in rates),
        ),
        first_minute=_rate(seconds, ends <= MINUTE_S),
        last_minute=_rate(seconds, ends > total - MINUTE_S),
        peak=peak,
        throttled_after_s=float(told[lasting[0]] * window) if lasting else None,
    )


def read_curves(run: Run, unit: str) -> tuple[Curve, ...]:
    """What the probes told in one unit (`degC`, `MHz`, `status`), a curve for each probe in the order of its first sample."""
    points_of: dict[str, list[tuple[float, float]]] = {}
    for sample in run.samples:
        if sample.unit == unit:
            points_of.setdefault(sample.probe, []).append((sample.t_s, sample.value))
    return tuple(
        Curve(name=name, unit=unit, t_s=tuple(t for t, _ in points), values=tuple(value for _, value in points))
        for name, points in points_of.items()
        if len(points) > 1
    )


def measure_energy(run: Run) -> Reading:
    """Mean power from the probes' volts and amperes times the time of an inference, in joules; refused while charging.

    It is the energy of the whole device: screen, radio and all.
    """

    def missing(reason: str) -> Reading:
        return Reading(unit="J", reason=reason)

    for state in (run.conditions_start, run.conditions_end):
        told = state.charging.value
        if told is None:
            return missing(f"charging is unknown ({state.charging.reason})")
        if told.startswith(("charging", "full", "not charging", "plugged in")):
            return missing(f"the battery was not the only source ({told})")
    volts, amperes = read_curves(run, "V"), read_curves(run, "A")
    if not volts or not amperes or not run.latency_ns:
        return missing("the fuel gauge told no voltage and current over time")
    power = float(np.mean(volts[0].values)) * abs(float(np.mean(amperes[0].values)))
    return Reading(value=power * float(np.mean(run.latency_ns)) / 1e9, unit="J")


def rank_lasting(runs: Iterable[Run]) -> list[tuple[Run, Throttling]]:
    """Runs over minutes, fastest in the first minute first; invalid ones last: how fast a wrong output was made is no rank."""
    lasting = [(run, shown) for run in runs if (shown := find_throttling(run)) is not None]
    return sorted(lasting, key=lambda entry: (entry[0].verdict.grade == "invalid", -entry[1].first_minute))


def _moments(run: Run, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """When each inference ended: by the counting probe where there is one, else as if one followed the other without a pause."""
    points = [(sample.value, sample.t_s) for sample in run.samples if sample.probe == COUNTER]
    if len(points) < 2:
        return np.cumsum(seconds)
    counts, moments = np.array(sorted(points)).T
    return np.asarray(np.interp(np.arange(1, seconds.size + 1), counts, moments))


def _rate(seconds: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    return float(chosen.sum() / seconds[chosen].sum()) if chosen.any() else 0.0
