"""Which runs of a store belong together, and which of them are the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.records.run import Run

MOST_ROUNDS = (
    20  # runs of earlier sessions that still count; what is older tells more of the device's age than of the artifact
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The last measurement of one variant on one device, in order; never empty.

    It is the rounds of its last session, or, where sessions measured once, the last runs of the same file, one a session.
    `sessions` are all of this file, the newest last.
    """

    variant: str
    device: tuple[str, str]
    sustained: bool
    runs: tuple[Run, ...]
    sessions: tuple[tuple[Run, ...], ...]

    @property
    def last(self) -> Run:
        return self.runs[-1]


def groups(runs: Iterable[Run], *, baseline: bool = False) -> list[Group]:
    """The last measurement of each variant on each device, in the order in which variant and device first appeared.

    Of the build; with `baseline` of the older one that sessions measured in turns with it.
    """
    collected: dict[tuple[str, tuple[str, str], bool], list[Run]] = {}
    for run in runs:
        if run.baseline != baseline:
            continue
        kept = collected.setdefault(_place(run), [])
        if kept and not _same_measurement(kept[-1], run):
            kept.clear()
        kept.append(run)
    return [
        Group(variant=variant, device=device, sustained=sustained, runs=_last_rounds(kept), sessions=_sessions(kept))
        for (variant, device, sustained), kept in collected.items()
    ]


def _last_rounds(runs: list[Run]) -> tuple[Run, ...]:
    session = runs[-1].session
    rounds = [run for run in runs if session is not None and run.session == session]
    return tuple(rounds if len(rounds) > 1 else runs[-MOST_ROUNDS:])


def _sessions(runs: list[Run]) -> tuple[tuple[Run, ...], ...]:
    """By session; a record without one is a session of its own."""
    found: dict[object, list[Run]] = {}
    for run in runs:
        found.setdefault(run.session or ("", run.id), []).append(run)
    return tuple(tuple(entries) for entries in list(found.values())[-MOST_ROUNDS:])


def _place(run: Run) -> tuple[str, tuple[str, str], bool]:
    """Runs over minutes do not replace the others, nor the others them."""
    return run.variant, (run.device.kind, run.device.id), run.protocol.sustained


def _same_measurement(first: Run, second: Run) -> bool:
    """Runs of one file under one protocol; what else must agree is for the comparison to say."""
    return (first.variant_sha256, first.protocol.name) == (second.variant_sha256, second.protocol.name)


def device_label(run: Run) -> str:
    return f"{run.device.kind}:{run.device.id}" if run.device.id != run.device.kind else run.device.kind
