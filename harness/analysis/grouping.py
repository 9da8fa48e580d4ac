"""Which runs of a store belong together, and which of them are the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.records.run import Run
from harness.records.way import Way

# Runs of earlier sessions that still count; what is older tells more of the device's age than of the artifact.
MOST_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Group:
    """The last measurement of one variant on one device in one mode, in order of time; never empty.

    It is the rounds of its last session, or, where sessions measured once, the last runs of the same file, one a session.
    `sessions` are all of this file, the newest last. A session that swept over threads or cores has a group for each way.
    """

    variant: str
    device: tuple[str, str]
    mode: str
    sustained: bool
    way: Way
    runs: tuple[Run, ...]
    sessions: tuple[tuple[Run, ...], ...]

    @property
    def place(self) -> tuple[str, tuple[str, str], str, bool, Way]:
        """What is measured, where and in which way: the variant first."""
        return self.variant, self.device, self.mode, self.sustained, self.way

    @property
    def threads(self) -> int:
        return self.way.threads

    @property
    def last(self) -> Run:
        return self.runs[-1]


def group_runs(runs: Iterable[Run], *, baseline: bool = False) -> list[Group]:
    """The last measurement of each variant on each device, in the order in which variant and device first appeared.

    Of the build; with `baseline` of the older one that sessions measured in turns with it.
    """
    of_build = [run for run in runs if run.baseline == baseline]
    collected: dict[Place, dict[Way, list[Run]]] = {_place(run): {} for run in of_build}
    for run in by_time(of_build):
        kept = collected[_place(run)].setdefault(run.way, [])
        if kept and not _is_same_measurement(kept[-1], run):
            kept.clear()
        kept.append(run)
    return [
        Group(
            variant=variant,
            device=device,
            mode=mode,
            sustained=sustained,
            way=way,
            runs=_take_last_rounds(kept),
            sessions=_sessions(kept),
        )
        for (variant, device, mode, sustained), swept in collected.items()
        for way, kept in _of_the_newest(swept)
    ]


def by_time(runs: Iterable[Run]) -> list[Run]:
    """In order of time, whatever order they came into the store in: an import brings old ones late."""
    return sorted(runs, key=lambda run: run.moment)


def _of_the_newest(swept: dict[Way, list[Run]]) -> list[tuple[Way, list[Run]]]:
    """The ways that the newest session measured."""
    newest = max((runs[-1] for runs in swept.values()), key=lambda run: run.moment)
    return [
        (way, runs)
        for way, runs in sorted(swept.items(), key=lambda entry: entry[0].rank)
        if runs[-1] is newest or (newest.session is not None and runs[-1].session == newest.session)
    ]


def _take_last_rounds(runs: list[Run]) -> tuple[Run, ...]:
    session = runs[-1].session
    rounds = [run for run in runs if session is not None and run.session == session]
    return tuple(rounds if len(rounds) > 1 else runs[-MOST_ROUNDS:])


def _sessions(runs: list[Run]) -> tuple[tuple[Run, ...], ...]:
    """By session; a record without one is a session of its own."""
    by_session: dict[object, list[Run]] = {}
    for run in runs:
        by_session.setdefault(run.session or ("", run.id), []).append(run)
    return tuple(tuple(entries) for entries in list(by_session.values())[-MOST_ROUNDS:])


Place = tuple[str, tuple[str, str], str, bool]


def _place(run: Run) -> Place:
    """Runs over minutes do not replace the others, nor the others them; the same for runs in another mode."""
    return run.variant, (run.device.kind, run.device.id), run.mode, run.protocol.sustained


def _is_same_measurement(first: Run, second: Run) -> bool:
    """Runs of one file under one protocol, or of one session: whether that is one measurement is for its verdict to say."""
    if first.session is not None and first.session == second.session:
        return True
    return (first.variant_sha256, first.protocol.name) == (second.variant_sha256, second.protocol.name)


def label_variants(runs: Iterable[Run]) -> dict[str, str]:
    """What the variant of each run (by its id) is called among these: with its threads and cores where its session swept over them."""
    every = list(runs)
    swept: dict[object, set[Way]] = {}
    for run in every:
        swept.setdefault((run.session or run.id, run.variant, run.device.kind, run.device.id), set()).add(run.way)
    several = {place for place, ways in swept.items() if len(ways) > 1}
    return {
        run.id: f"{run.variant}, {run.way.words}"
        if (run.session or run.id, run.variant, run.device.kind, run.device.id) in several
        else run.variant
        for run in every
    }


def label_device(run: Run) -> str:
    return f"{run.device.kind}:{run.device.id}" if run.device.id != run.device.kind else run.device.kind
