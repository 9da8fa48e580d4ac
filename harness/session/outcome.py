"""What a session says: where it is, what it measured, and what it did not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.records.run import Run
from harness.records.way import Way

# of a run in its session: kind and id of the device, variant, way, round, and whether it is of the baseline
Place = tuple[str, str, str, Way, int, bool]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A variant that a device cannot run, or could not (`exit_code` 3, 6 or 7): the reason is never dropped."""

    device: str
    variant: str
    reason: str
    exit_code: int = 0

    @property
    def failed(self) -> bool:
        """Whether something went wrong, other than that the device cannot run the variant."""
        return self.exit_code != 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """Progress: measurement number `index` of `total` on a device is about to be made, of `variant`.

    `waiting`: not yet, because the device was lost; the reason and the pause before it is tried again.
    """

    device: str
    variant: str
    index: int
    total: int
    waiting: str | None = None


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """What a session measured, and what it did not; `earlier` are its runs from before it was resumed."""

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    earlier: tuple[Run, ...] = ()


def list_done(runs: Iterable[Run]) -> frozenset[Place]:
    """What a session that is gone on with has measured."""
    return frozenset(
        (run.device.kind, run.device.id, run.variant, run.way, run.round or 0, run.baseline) for run in runs
    )
