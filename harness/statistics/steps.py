"""Lasting changes of level in a history: one value a night, few nights, and nothing known of how nights differ but that they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Of false alarms, over all histories that are looked at together.
LEVEL = 0.04
# Nights: of fewer no order is rare enough.
FEWEST = 8
# Nights on each side of a step: one alone is a bad night.
SIDE = 2
# Of the level; a smaller step is none that anybody acts on.
LEAST = 0.01
# Resamples: a steady history is told by few.
ROUGH, FINE, CLEARLY_NONE = 199, 9999, 0.2
# Any one will do; a fixed one gives the same answer for the same history.
SEED = 20


@dataclass(frozen=True, kw_only=True)
class LevelStep:
    """From night `at` (counted from 0) on the level is `factor` times that of the nights since the step before. `p` is of this step alone."""

    at: int
    factor: float
    p: float


def find_steps(histories: Sequence[Sequence[float]]) -> list[list[LevelStep]]:
    """Steps of each history, in order; values are positive, in any unit, in the order of time.

    A step is looked for by binary segmentation: the greatest difference of means of logarithms over all cuts, standardised, is held against
    the same after random permutations of the nights (`scipy.stats.permutation_test`), which holds for any distribution of nights. Where several
    histories are looked at, the first p-value of each is adjusted for their number (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, by
    `scipy.stats.false_discovery_control`): of the histories that are said to have changed, 4 % at most have not.
    """
    logs = [np.log(np.asarray(history, np.float64)) for history in histories]
    first = [_compute_p(values) for values in logs]
    adjusted = _adjust(first)
    steps: list[list[LevelStep]] = []
    for values, p, decides in zip(logs, first, adjusted, strict=True):
        cuts = _cuts(values, 0, p) if decides <= LEVEL else {}
        edges = [0, *sorted(cuts), values.size]
        levels = [float(values[start:end].mean()) for start, end in pairwise(edges)]
        steps.append(
            [
                LevelStep(at=at, factor=float(np.exp(after - before)), p=cuts[at])
                for at, before, after in zip(edges[1:], levels, levels[1:], strict=False)
                if abs(after - before) >= np.log1p(LEAST)
            ]
        )
    return steps


def _adjust(p_values: list[float]) -> list[float]:
    if min(p_values, default=1.0) == 1.0:
        return p_values
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values)]


def _cuts(values: NDArray[np.float64], start: int, p: float) -> dict[int, float]:
    """The cut of a stretch that has one, and those of both its sides, each at half the level: there are two of them."""
    at = SIDE + int(np.argmax(_apart(values)))
    cuts = {start + at: p}
    for first, last in ((0, at), (at, values.size)):
        side = _compute_p(values[first:last])
        if side <= LEVEL / 2:
            cuts |= _cuts(values[first:last], start + first, side)
    return cuts


def _compute_p(values: NDArray[np.float64]) -> float:
    """1 where there are too few nights."""
    if values.size < FEWEST or values.min() == values.max():
        return 1.0
    from scipy.stats import permutation_test

    def greatest(sample: ArrayLike, axis: int) -> NDArray[np.float64]:
        return np.asarray(_apart(np.moveaxis(np.asarray(sample), axis, -1)).max(axis=-1))

    p = 1.0
    for resamples in (ROUGH, FINE):
        test = permutation_test(
            (values,),
            greatest,
            permutation_type="pairings",
            alternative="greater",
            vectorized=True,
            n_resamples=resamples,
            rng=np.random.default_rng(SEED),
        )
        p = float(test.pvalue)
        if p > CLEARLY_NONE:
            break
    return p


def _apart(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the means on both sides of each cut are apart, over what their difference varies by; the last axis is time."""
    count = values.shape[-1]
    sums = np.cumsum(values - values.mean(axis=-1, keepdims=True), axis=-1)
    before = np.arange(SIDE, count - SIDE + 1)
    return np.asarray(np.abs(sums[..., before - 1]) * np.sqrt(count / (before * (count - before))))
