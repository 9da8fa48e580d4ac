"""What one side of a comparison alone has: a variant that a build lost is told, and a gate does not pass it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.grouping import Group, by_time, group_runs, label_device
from harness.records.run import Run


@dataclass(frozen=True, kw_only=True)
class OneSided:
    """A variant on a device that only BASE or only NEW measured; `run` is its last one."""

    side: Literal["base", "new"]
    run: Run

    @property
    def variant(self) -> str:
        return self.run.variant

    @property
    def device(self) -> str:
        return label_device(self.run)

    @property
    def why(self) -> str:
        if self.side == "new":
            return "only NEW has it: there is nothing to hold it against"
        return "only BASE has it: it was removed, got another name, or was not measured again"


def find_counterpart(group: Group, before: Sequence[Group]) -> Group | None:
    """What a measurement of NEW is held against: the same variant, where there is one on the same device, in the same way."""
    same = [candidate for candidate in before if candidate.variant == group.variant]
    for length in range(2, len(group.place) + 1):
        same = [candidate for candidate in same if candidate.place[:length] == group.place[:length]] or same
    return same[0] if same else None


def find_one_sided_runs(base: Iterable[Run], new: Iterable[Run]) -> tuple[OneSided, ...]:
    """Of two stores. Asked of BASE is the newest bundle of each model that NEW measured: what was given up long ago is no news."""
    new = list(new)
    before, after = group_runs(base), group_runs(new)
    models = {run.model_name for run in new}
    newest = {run.model_name: run.bundle_sha256 for run in by_time(group.last for group in before)}
    asked = [g for g in before if g.last.model_name in models and g.last.bundle_sha256 == newest[g.last.model_name]]
    pairs = [(group, find_counterpart(group, before)) for group in after]
    held = [base for _, base in pairs if base is not None]
    return tuple(
        [OneSided(side="base", run=group.last) for group in asked if group not in held]
        + [OneSided(side="new", run=group.last) for group, base in pairs if base is None]
    )


def find_one_sided_builds(runs: Iterable[Run]) -> tuple[OneSided, ...]:
    """Of the two builds that the newest session of each device measured in turns."""
    every = list(runs)
    before, after = group_runs(every, baseline=True), group_runs(every)
    sessions = {group.last.session for group in before} & {group.last.session for group in after} - {None}
    places = [{g.place: g for g in side if g.last.session in sessions} for side in (before, after)]
    return tuple(
        [OneSided(side="base", run=group.last) for place, group in places[0].items() if place not in places[1]]
        + [OneSided(side="new", run=group.last) for place, group in places[1].items() if place not in places[0]]
    )
