"""The history of each variant on each device: a level a night, and where it changed for good, with what changed at that moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

from harness.analysis.grouping import by_time, label_device
from harness.records.run import Run
from harness.records.way import Way
from harness.statistics import take_log_medians
from harness.statistics.steps import find_steps

# The newest; an older change is old.
MOST_NIGHTS = 200


@dataclass(frozen=True, kw_only=True)
class Night:
    """One session of one file: its last good run, and the level over its good rounds, ns."""

    run: Run
    level_ns: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """From the night of `first` on, a variant on a device takes `factor` times as long as in the nights up to that of `last`.

    `number` of `nights` is that night. `other` names what differs in the records of both nights, as 'another file'; empty: nothing that
    they name.
    """

    variant: str
    way: Way
    device: str
    last: Run
    first: Run
    factor: float
    number: int
    nights: int
    other: tuple[str, ...]

    @property
    def words(self) -> str:
        """One sentence without its full stop."""
        way = "longer" if self.factor > 1 else "shorter"
        since = f"since {self.first.moment:%d %b %Y} (session {self.number} of {self.nights})"
        reason = f"with {' and '.join(self.other)}" if self.other else "with the same file, runtime and system"
        return f"{abs(self.factor - 1):.1%} {way} {since}, {reason}"

    def to_json(self) -> dict[str, object]:
        """As `harness show --json` tells it."""
        return {
            "variant": self.variant,
            "threads": self.way.threads,
            "cores": self.way.cores,
            "device": self.device,
            "factor": round(self.factor, 4),
            "last": self.last.started_at,
            "first": self.first.started_at,
            "session": self.first.session,
            "bundle": self.first.bundle_sha256,
            "number": self.number,
            "nights": self.nights,
            "other": list(self.other),
        }


def find_changes(runs: Iterable[Run]) -> list[Change]:
    """The newest first. Of good latency runs of the builds themselves, not of the baselines beside them."""
    histories = [nights[-MOST_NIGHTS:] for nights in _histories(runs)]
    told = [
        _change(nights, step.at, step.factor)
        for nights, steps in zip(
            histories, find_steps([[night.level_ns for night in nights] for nights in histories]), strict=True
        )
        for step in steps
    ]
    return sorted(told, key=lambda change: change.first.moment, reverse=True)


def _histories(runs: Iterable[Run]) -> list[list[Night]]:
    """One for each variant, device, mode, protocol, number of threads and cluster of cores."""
    places: dict[tuple[object, ...], dict[tuple[str, str], list[Run]]] = {}
    for run in by_time(runs):
        good = run.metric == "latency" and run.verdict.grade == "ok" and run.latency_ns and min(run.latency_ns) > 0
        if good and not run.baseline and not run.protocol.sustained:
            place = (
                run.model_name,
                run.variant,
                run.device.kind,
                run.device.id,
                run.mode,
                run.protocol.name,
                run.way,
            )
            places.setdefault(place, {}).setdefault((run.session or run.id, run.variant_sha256), []).append(run)
    return [[_night(rounds) for rounds in sessions.values()] for sessions in places.values()]


def _night(rounds: list[Run]) -> Night:
    return Night(run=rounds[-1], level_ns=exp(float(take_log_medians([run.latency_ns for run in rounds]).mean())))


def _change(nights: list[Night], at: int, factor: float) -> Change:
    last, first = nights[at - 1].run, nights[at].run
    return Change(
        variant=first.variant,
        way=first.way,
        device=label_device(first),
        last=last,
        first=first,
        factor=factor,
        number=at + 1,
        nights=len(nights),
        other=_other(last, first),
    )


def _other(last: Run, first: Run) -> tuple[str, ...]:
    told: list[str] = []
    if first.variant_sha256 != last.variant_sha256:
        told.append(f"another file (bundle {first.bundle_sha256[:12]} after {last.bundle_sha256[:12]})")
    if first.runtime_version != last.runtime_version:
        told.append(f"{first.runtime} {first.runtime_version} after {last.runtime_version}")
    if first.device.build.value != last.device.build.value or first.device.os.value != last.device.os.value:
        system = first.device.os.value or "an unknown system"
        told.append(f"another system ({system}, {first.device.build.value or 'build unknown'})")
    if first.delegate_executed.value != last.delegate_executed.value:
        told.append(f"another delegate ({first.delegate_executed.value} after {last.delegate_executed.value})")
    if first.protocol.sha256 != last.protocol.sha256:
        told.append("another version of the protocol")
    return tuple(told)
