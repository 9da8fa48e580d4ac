"""Whether rounds lie on two levels: a big and a middle core by chance, or two clocks."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

# Of one another at least; what is nearer is noise of rounds.
APART = 0.02
# Times the wider of the two groups.
CLEAR = 3.0
# Rounds in each: one alone is a round that something disturbed.
FEWEST = 2


def find_two_levels(medians: Sequence[float]) -> tuple[float, float] | None:
    """The middle of the lower and of the upper group, in the medians' unit, where a gap divides them clearly; else None."""
    ordered = sorted(medians)
    if len(ordered) < 2 * FEWEST or ordered[0] <= 0:
        return None
    logs = [log(value) for value in ordered]
    cut = max(range(FEWEST, len(logs) - FEWEST + 1), key=lambda place: logs[place] - logs[place - 1])
    gap = logs[cut] - logs[cut - 1]
    wider = max(logs[cut - 1] - logs[0], logs[-1] - logs[cut])
    if gap < APART or gap < CLEAR * wider:
        return None
    return ordered[cut // 2], ordered[(cut + len(ordered)) // 2]
