"""How much longer NEW takes than BASE: a ratio with its interval and p-value, and the correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.statistics.summary import Level, design, level_of_samples, log_medians, quantile_of_t

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ALPHA = 0.03  # rounds are not quite independent, nor normal: at this level false alarms stay below 5 % (`scripts/bench measuring`)
FEWEST_PAIRS = 3  # with two, Student's t knows almost nothing

Basis = Literal["paired rounds", "rounds", "one run"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Level of NEW over level of BASE with its 95 % interval, taken alone.

    `p` is two-sided; `p_adjusted` counts in the other comparisons that were made with it, and decides. `basis` says what the interval
    holds: `one run` knows nothing of how a run differs from the next.
    """

    value: float
    low: float
    high: float
    p: float
    p_adjusted: float
    basis: Basis
    rounds: int

    @property
    def verdict(self) -> Literal["faster", "slower", "no significant difference"]:
        if self.p_adjusted >= ALPHA:
            return "no significant difference"
        return "slower" if self.value > 1 else "faster"

    @property
    def reach(self) -> float:
        """How far the interval reaches from the ratio, as a factor less one: what a comparison of this precision can see."""
        return sqrt(self.high / self.low) - 1


def ratio_of_runs(base: ArrayLike, new: ArrayLike) -> Ratio:
    """One run on each side, measured independently of one another.

    Welch's t on the logarithms of the medians; the errors towards 1 and away from it are combined apart, so that skewed intervals
    stay skewed (method of variance estimates recovery: Zou & Donner 2008, Statistics in Medicine 27). Raises ValueError for a median
    whose interval reaches zero.
    """
    before, after = level_of_samples(base), level_of_samples(new)
    down, up = sqrt(after.below**2 + before.above**2), sqrt(after.above**2 + before.below**2)
    return _ratio(after.log_value - before.log_value, down, up, _welch(before, after), "one run", 1)


def ratio_of_rounds(base: Sequence[ArrayLike], new: Sequence[ArrayLike]) -> Ratio:
    """Rounds that were measured independently of one another: Student's t of the logarithms of their medians, with one variance for
    both sides, so that a single new run can be held against a baseline of several. Raises ValueError for fewer than three rounds."""
    before, after = log_medians(base), log_medians(new)
    freedom = before.size + after.size - 2
    if freedom < 1:
        raise ValueError("two runs alone do not tell how runs differ")
    squares = float(np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2))
    effects = design(before.size), design(after.size)  # neighbouring rounds resemble one another
    variance = squares / (before.size - effects[0] + after.size - effects[1])
    error = sqrt(variance * (effects[0] / before.size + effects[1] / after.size))
    apart = float(after.mean() - before.mean())
    return _ratio(apart, error, error, freedom, "rounds", min(before.size, after.size))


def paired_ratio(base: Sequence[ArrayLike], new: Sequence[ArrayLike]) -> Ratio:
    """Rounds of one session that measured both, in the same order: what slows a whole round cancels. Student's t of the logarithms'
    differences. Raises ValueError for fewer than two pairs or a median of zero."""
    if len(base) != len(new) or len(base) < 2:
        raise ValueError("pairs need two rounds or more on both sides")
    apart = log_medians(new) - log_medians(base)
    error = float(np.std(apart, ddof=1)) / sqrt(apart.size)
    return _ratio(float(np.mean(apart)), error, error, apart.size - 1.0, "paired rounds", apart.size)


def _ratio(apart: float, down: float, up: float, freedom: float, basis: Basis, rounds: int) -> Ratio:
    """From a difference of logarithms with its errors downwards and upwards."""
    t = quantile_of_t(freedom)
    p = _p_value(apart, down if apart > 0 else up, freedom)
    return Ratio(
        value=exp(apart),
        low=exp(apart - t * down),
        high=exp(apart + t * up),
        p=p,
        p_adjusted=p,
        basis=basis,
        rounds=rounds,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted so that the chance of any false alarm among them stays what it is for one (Holm 1979, Scand. J. Statist. 6)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return tuple(adjusted)


def _welch(base: Level, new: Level) -> float:
    """Degrees of freedom of the difference (Welch 1947); those of the worse side when neither has an error."""
    squares = [((level.below + level.above) / 2) ** 2 for level in (base, new)]
    share = sum(square**2 / level.freedom for square, level in zip(squares, (base, new), strict=True))
    return sum(squares) ** 2 / share if share > 0 else min(base.freedom, new.freedom)


def _p_value(apart: float, error: float, freedom: float) -> float:
    from scipy.special import stdtr

    if error == 0:
        return 1.0 if apart == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(apart) / error))
