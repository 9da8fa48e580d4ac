"""What the counters of a pass mean: mean clock and share of the top clock of each domain, and what else ran beside the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.probes.load import TIME_UNIT, measure_background_load
from harness.records.run import ProcessorUse, Reading, Run, TimeInState


def average_clock(state: TimeInState) -> Reading:
    """MHz on average over the time, idle time included."""
    if not state.mhz:
        return Reading(unit="MHz", reason=state.reason)
    total = sum(state.seconds)
    return Reading(
        value=round(sum(m * s for m, s in zip(state.mhz, state.seconds, strict=True)) / total, 1), unit="MHz"
    )


def measure_top_share(state: TimeInState) -> Reading:
    """Percent of the time at the highest clock that the domain knows."""
    if not state.mhz:
        return Reading(unit="%", reason=state.reason)
    return Reading(value=round(100 * state.seconds[-1] / sum(state.seconds), 2), unit="%")


def find_fastest_domain(use: ProcessorUse | None) -> TimeInState | None:
    """The domain with the highest clock of those that are known: the one that a benchmark is meant to run on."""
    known = [state for state in use.time_in_state if state.mhz] if use is not None else []
    return max(known, key=lambda state: state.mhz[-1], default=None)


def load_beside(run: Run) -> Reading:
    """Percent of all processors that other programs used during the timed pass."""
    use = run.processor_use
    if use is None:
        return Reading(unit="%", reason="the device does not tell its processors' counters")
    return measure_background_load(use.passed_s, use.busy_s, use.own_s)


def add_up(uses: Sequence[ProcessorUse | None]) -> ProcessorUse | None:
    """The sum of several passes; None where one of them is not known."""
    known = [use for use in uses if use is not None]
    if not known or len(known) < len(uses):
        return None
    if len(known) == 1:
        return known[0]
    first = known[0].time_in_state
    return ProcessorUse(
        time_in_state=tuple(_domain(state, [_of(use, state.policy) for use in known]) for state in first),
        passed_s=_sum(known, lambda use: use.passed_s),
        busy_s=_sum(known, lambda use: use.busy_s),
        own_s=_sum(known, lambda use: use.own_s),
    )


def _of(use: ProcessorUse, policy: str) -> TimeInState | None:
    return next((state for state in use.time_in_state if state.policy == policy), None)


def _domain(first: TimeInState, states: list[TimeInState | None]) -> TimeInState:
    known = [state for state in states if state is not None and state.mhz == first.mhz]
    if first.reason is not None or len(known) < len(states):
        why = first.reason or "its clocks were not told in every part of the run"
        return TimeInState(policy=first.policy, cpus=first.cpus, reason=why)
    sums = tuple(round(sum(times), 2) for times in zip(*(state.seconds for state in known), strict=True))
    return TimeInState(policy=first.policy, cpus=first.cpus, mhz=first.mhz, seconds=sums)


def _sum(uses: list[ProcessorUse], part: Callable[[ProcessorUse], Reading]) -> Reading:
    readings = [part(use) for use in uses]
    unknown = next((reading for reading in readings if reading.value is None), None)
    return unknown or Reading(value=round(sum(reading.value or 0.0 for reading in readings), 3), unit=TIME_UNIT)
