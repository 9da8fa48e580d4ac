"""Which build made a variant slower: the builds that a store has of it, halved as `git bisect` halves commits.

No build is measured for it: each question is asked of the sessions that the store has, by the same comparison and the same gate as
`harness check`. Where a build in the middle cannot be decided, the answer is the range, and what to measure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.analysis.comparison import compare_groups
from harness.analysis.gate import Decision, decide
from harness.analysis.grouping import Group, by_time, group_runs, label_device
from harness.analysis.nights import Nights, collect_nights
from harness.errors import UsageError
from harness.records.run import Run

State = Literal["found", "range", "no change", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Build:
    """One file of a variant as it was measured: its last run tells its bundle and when."""

    group: Group

    @property
    def run(self) -> Run:
        """Its newest run."""
        return self.group.last

    @property
    def name(self) -> str:
        """The beginning of the hash of its bundle."""
        return self.run.bundle_sha256[:12]


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """A variant on a device: `good` is the last build that is known to be as fast as the first, `bad` the first that is known to be slower.

    `found`: they follow one another. `range`: `between` builds lie between them that could not be decided. `why` is half a sentence.
    """

    variant: str
    device: str
    builds: int
    state: State
    good: Build | None
    bad: Build | None
    between: int
    why: str


def bisect_builds(runs: Iterable[Run], limit: float) -> tuple[Bisection, ...]:
    """Each variant on each device that the store has two builds of; `limit` is the greatest slow-down that is none, as a fraction.

    Raises UsageError where there is no such variant.
    """
    every = [run for run in by_time(runs) if not run.protocol.sustained]
    history = collect_nights(every)
    places: dict[tuple[object, ...], dict[str, list[Run]]] = {}
    for run in every:
        place = (run.model_name, run.variant, run.device.kind, run.device.id, run.mode, run.way)
        places.setdefault(place, {}).setdefault(run.variant_sha256, []).append(run)
    bisections = tuple(_bisect(_builds(files), history, limit) for files in places.values() if len(files) > 1)
    if not bisections:
        raise UsageError("no variant has runs of two builds on one device; measure each build into the same store.")
    return bisections


def _builds(files: dict[str, list[Run]]) -> list[Build]:
    """In the order in which they were first measured; a build that was a baseline counts as any other."""
    plain = ([run.model_copy(update={"baseline": False}) for run in runs] for runs in files.values())
    return [Build(group=group_runs(runs)[0]) for runs in plain]


def _bisect(builds: list[Build], history: Nights, limit: float) -> Bisection:
    good, bad = 0, len(builds) - 1
    ends = _ask(builds[good], builds[bad], history, limit)
    if ends.outcome != "regression":
        state: State = "no change" if ends.outcome == "within" else "undecided"
        return _tell(builds, None, None, state, ends.why)
    why, unknown = ends.why, ""
    while bad - good > 1 and not unknown:
        middle = (good + bad) // 2
        answer = _ask(builds[0], builds[middle], history, limit)
        if answer.outcome == "regression":
            bad, why = middle, answer.why
        elif answer.outcome == "within":
            good = middle
        else:
            unknown = f"; build {builds[middle].name} could not be decided ({answer.why})"
    return _tell(builds, good, bad, "range" if unknown else "found", why + unknown)


def _ask(base: Build, new: Build, history: Nights, limit: float) -> Decision:
    (decision,) = decide([compare_groups(base.group, new.group, history)], limit)
    return decision


def _tell(builds: list[Build], good: int | None, bad: int | None, state: State, why: str) -> Bisection:
    last = builds[-1].run
    return Bisection(
        variant=last.variant,
        device=label_device(last),
        builds=len(builds),
        state=state,
        good=builds[good] if good is not None else None,
        bad=builds[bad] if bad is not None else None,
        between=bad - good - 1 if good is not None and bad is not None else 0,
        why=why,
    )
