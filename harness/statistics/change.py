"""Whether the samples of one run belong together: changes of level, drift, and single samples far from the others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.interval import check, choose_block_length, estimate_long_run_variance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Of a change of level: one steady run in a hundred may look like one.
SIGNIFICANCE = 0.01
# Of the median; a smaller change is real perhaps, and does not spoil the run.
MIN_CHANGE = 0.05
# Samples on each side of a change.
SHORTEST = 8
# A series with more is not one of levels.
MOST_CHANGES = 8
# The slope is taken between medians of this many stretches, so that a million samples take no longer.
BUCKETS = 200
# Modified z-score of an outlier: Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers, section 3.3.
FAR = 3.5


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The level changes before sample `at` (counted from 0), from median `before` to median `after`; `p` is its p-value."""

    at: int
    before: float
    after: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Stationarity:
    """`shifts` are changes of level in order; `change` is highest over lowest level, less one; `drift` the robust slope times the
    length of the run as a fraction of the median."""

    shifts: tuple[Shift, ...]
    change: float
    drift: float

    @property
    def stationary(self) -> bool:
        return not self.shifts or max(self.change, abs(self.drift)) <= MIN_CHANGE

    @property
    def drifts(self) -> bool:
        """Whether it is rather a slope than steps: a slope looks like several steps that all go one way."""
        directions = {shift.after > shift.before for shift in self.shifts}
        steps_up_or_down_a_slope = len(self.shifts) > 1 and len(directions) == 1 and abs(self.drift) > self.change / 2
        return steps_up_or_down_a_slope or abs(self.drift) > self.change


def judge_stationarity(samples: ArrayLike) -> Stationarity:
    """Changes of level by binary segmentation, and drift. Samples in the order of measurement. Raises ValueError as `summarize`."""
    values = check(samples)
    shifts: list[Shift] = []
    stretches = [(0, values.size)]
    while stretches and len(shifts) < MOST_CHANGES:
        start, end = stretches.pop(0)
        candidate = _shift(values[start:end])
        if candidate is not None:
            at = start + candidate.at
            shifts.append(Shift(at=at, before=candidate.before, after=candidate.after, p=candidate.p))
            stretches += [(start, at), (at, end)]
    shifts.sort(key=lambda shift: shift.at)
    edges = [0, *(shift.at for shift in shifts), values.size]
    levels = [float(np.median(values[first:last])) for first, last in pairwise(edges)]
    named = tuple(
        Shift(at=shift.at, before=levels[index], after=levels[index + 1], p=shift.p)
        for index, shift in enumerate(shifts)
    )
    change = max(levels) / min(levels) - 1 if min(levels) > 0 else 0.0
    return Stationarity(shifts=named, change=change, drift=_drift(values))


def find_outliers(samples: ArrayLike) -> NDArray[np.intp]:
    """Indices of samples whose modified z-score exceeds 3.5. They are to be shown, and stay in every figure."""
    values = check(samples)
    apart = np.abs(values - np.median(values))
    spread = 1.4826 * float(np.median(apart))
    if spread == 0:  # more than half are equal, as with coarse timers: the authors' substitute
        spread = 1.253314 * float(np.mean(apart))
    return np.flatnonzero(apart > FAR * spread) if spread else np.zeros(0, np.intp)


def _shift(values: NDArray[np.float64]) -> Shift | None:
    """The most likely change of level, if it is significant: the Wilcoxon change-point test for dependent samples.

    The greatest sum of centred ranks, over the long-run deviation of ranks, is that of a Brownian bridge when nothing changes
    (Dehling, Fried, Garcia & Wendler 2015, Change-point detection under dependence based on two-sample U-statistics).
    """
    from scipy.special import kolmogorov

    n = values.size
    if n < 2 * SHORTEST or values.min() == values.max():
        return None
    ranks = _ranks(values) / n
    sums = np.abs(np.cumsum(ranks - ranks.mean()))[SHORTEST - 1 : n - SHORTEST]
    at = int(np.argmax(sums)) + SHORTEST
    # the deviation within each side: a real change would otherwise hide behind the spread that it makes
    residual = ranks - np.where(np.arange(n) < at, ranks[:at].mean(), ranks[at:].mean())
    variance = estimate_long_run_variance(residual, choose_block_length(residual))
    p = float(kolmogorov(float(sums[at - SHORTEST]) / np.sqrt(n * variance))) if variance > 0 else 0.0
    if p >= SIGNIFICANCE:
        return None
    return Shift(at=at, before=float(np.median(values[:at])), after=float(np.median(values[at:])), p=p)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; ties share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(np.append(starts, values.size))
    ranks = np.empty(values.size)
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


def _drift(values: NDArray[np.float64]) -> float:
    """Theil-Sen slope between the medians of stretches, times the run's length, over the median (Sen 1968, JASA 63)."""
    median = float(np.median(values))
    if values.size < 2 * SHORTEST or median == 0:
        return 0.0
    length = -(-values.size // BUCKETS)
    whole = values.size // length * length
    levels = np.median(values[:whole].reshape(-1, length), axis=1) if length > 1 else values
    first, second = np.triu_indices(levels.size, 1)
    slopes = (levels[second] - levels[first]) / (second - first)
    return float(np.median(slopes)) * (levels.size - 1) / median
