"""How much longer NEW takes than BASE: a ratio with its interval and p-value, and the correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.statistics.summary import (
    Level,
    compute_quantile_of_t,
    design,
    estimate_level_of_rounds,
    estimate_level_of_samples,
    take_log_medians,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Rounds are not quite independent, nor normal: at this level false alarms stay below 5 % (`scripts/bench measuring`).
ALPHA = 0.03
# With two, Student's t knows almost nothing.
FEWEST_PAIRS = 3

# Of what tells how sessions differ: with fewer Student's t knows almost nothing.
FEWEST_FREEDOM = 3

Basis = Literal["paired rounds", "rounds", "sessions", "too few sessions", "one run"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Level of NEW over level of BASE with its 95 % interval, taken alone.

    `p` is two-sided; `p_adjusted` counts in the other comparisons that were made with it, and decides. `basis` says what the interval
    holds: `one run` knows nothing of how a run differs from the next, `too few sessions` nothing of how a session does (`missing` more
    would tell). `blur` is what the timer's resolution adds to the interval on each side, as a fraction.
    """

    value: float
    low: float
    high: float
    p: float
    p_adjusted: float
    basis: Basis
    rounds: int
    missing: int = 0
    blur: float = 0.0

    @property
    def verdict(self) -> Literal["faster", "slower", "no significant difference", "undecided"]:
        """What the p-value says at the level ALPHA, counted over all comparisons that were made together."""
        if self.basis == "too few sessions":
            return "undecided"
        if self.p_adjusted >= ALPHA:
            return "no significant difference"
        return "slower" if self.value > 1 else "faster"

    @property
    def reach(self) -> float:
        """How far the interval reaches from the ratio, as a factor less one: what a comparison of this precision can see."""
        return sqrt(self.high / self.low) - 1


def estimate_ratio_of_runs(base: ArrayLike, new: ArrayLike) -> Ratio:
    """One run on each side, measured independently of one another.

    Welch's t on the logarithms of the medians; the errors towards 1 and away from it are combined apart, so that skewed intervals
    stay skewed (method of variance estimates recovery: Zou & Donner 2008, Statistics in Medicine 27). Raises ValueError for a median
    whose interval reaches zero.
    """
    before, after = estimate_level_of_samples(base), estimate_level_of_samples(new)
    down, up = sqrt(after.below**2 + before.above**2), sqrt(after.above**2 + before.below**2)
    blur = measure_blur([base], [new])
    return _ratio(_Apart(after.log_value - before.log_value, down, up, _welch(before, after)), "one run", 1, blur)


def estimate_ratio_of_rounds(base: Sequence[ArrayLike], new: Sequence[ArrayLike]) -> Ratio:
    """Rounds that were measured independently of one another: Student's t of the logarithms of their medians.

    Both sides have one variance, so that a single new run can be held against a baseline of several. Raises ValueError for fewer than
    three rounds.
    """
    before, after = take_log_medians(base), take_log_medians(new)
    freedom = before.size + after.size - 2
    if freedom < 1:
        raise ValueError("two runs alone do not tell how runs differ")
    squares = float(np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2))
    effects = design(before.size), design(after.size)  # neighbouring rounds resemble one another
    variance = squares / (before.size - effects[0] + after.size - effects[1])
    error = sqrt(variance * (effects[0] / before.size + effects[1] / after.size))
    apart = float(after.mean() - before.mean())
    blur = measure_blur(base, new)
    return _ratio(_Apart(apart, error, error, freedom), "rounds", min(before.size, after.size), blur)


def pair_ratio(base: Sequence[ArrayLike], new: Sequence[ArrayLike]) -> Ratio:
    """Rounds of one session that measured both, in the same order: what slows a whole round cancels.

    Student's t of the logarithms' differences. Raises ValueError for fewer than two pairs or a median of zero.
    """
    if len(base) != len(new) or len(base) < 2:
        raise ValueError("pairs need two rounds or more on both sides")
    apart = take_log_medians(new) - take_log_medians(base)
    error = float(np.std(apart, ddof=1)) / sqrt(apart.size)
    blur = measure_blur(base, new)
    return _ratio(_Apart(float(np.mean(apart)), error, error, apart.size - 1.0), "paired rounds", apart.size, blur)


def estimate_ratio_of_sessions(
    base: Sequence[Sequence[ArrayLike]],
    new: Sequence[Sequence[ArrayLike]],
    others: Sequence[Sequence[Sequence[ArrayLike]]] = (),
) -> Ratio:
    """Sessions of rounds on both sides.

    Whole sessions differ by more than their rounds do (nights, rooms, restarts), so that the level of a session, the mean over its rounds,
    is one observation.

    How sessions differ is estimated from all files of which there are several, each about its own mean: the two sides and `others`, files of
    the same variant on the same device, each a sequence of sessions. With too few of them the ratio is told, and nothing about it.
    """
    levels = [np.array([float(np.mean(take_log_medians(session))) for session in side]) for side in (base, new)]
    files = [*levels, *(np.array([float(np.mean(take_log_medians(session))) for session in file]) for file in others)]
    freedom = sum(file.size - 1 for file in files)
    apart = float(levels[1].mean() - levels[0].mean())
    blur = measure_blur(
        [rounds for session in base for rounds in session], [rounds for session in new for rounds in session]
    )
    count = min(level.size for level in levels)
    if freedom < FEWEST_FREEDOM:
        every = [[rounds for session in side for rounds in session] for side in (base, new)]
        within = [estimate_level_of_rounds(side) for side in every]
        down, up = (sqrt(sum(getattr(level, side) ** 2 for level in within)) for side in ("below", "above"))
        between = _Apart(apart, down, up, min(level.freedom for level in within))
        told = _ratio(between, "too few sessions", count, blur)
        return replace(told, p=1.0, p_adjusted=1.0, missing=FEWEST_FREEDOM - freedom)
    variance = sum(float(np.sum((file - file.mean()) ** 2)) for file in files) / freedom
    error = sqrt(variance * sum(1 / level.size for level in levels))
    return _ratio(_Apart(apart, error, error, float(freedom)), "sessions", count, blur)


def measure_blur(base: Sequence[ArrayLike], new: Sequence[ArrayLike]) -> float:
    """How far the ratio of two levels may be off for the timer alone, as a fraction: half a step on each side."""
    steps = [
        max((find_resolution(rounds) / float(np.median(np.asarray(rounds))) for rounds in side), default=0.0)
        for side in (base, new)
    ]
    return sum(steps) / 2


def find_resolution(samples: ArrayLike) -> float:
    """The step of the timer, in the samples' unit: the smallest difference that occurs, where most samples share their value with others.

    It is 0 where they do not, because the step is then far below their spread. No time is shorter than one step of its timer.
    """
    values = np.unique(np.asarray(samples, np.float64))
    count = np.asarray(samples).size
    if values.size < 2 or values.size > count / 3:
        return 0.0
    return float(np.min(np.diff(np.union1d(values, [0.0]))))


@dataclass(frozen=True)
class _Apart:
    """A difference of logarithms with its errors downwards and upwards, and their degrees of freedom."""

    value: float
    down: float
    up: float
    freedom: float


def _ratio(apart: _Apart, basis: Basis, rounds: int, blur: float) -> Ratio:
    """`blur` is no error that averages out."""
    t = compute_quantile_of_t(apart.freedom)
    left = max(abs(apart.value) - blur, 0.0)
    above = apart.value > 0
    p = _compute_p_value(left if above else -left, apart.down if above else apart.up, apart.freedom)
    return Ratio(
        value=exp(apart.value),
        low=exp(apart.value - t * apart.down - blur),
        high=exp(apart.value + t * apart.up + blur),
        p=p,
        p_adjusted=p,
        basis=basis,
        rounds=rounds,
        blur=blur,
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


def _compute_p_value(apart: float, error: float, freedom: float) -> float:
    from scipy.special import stdtr

    if error == 0:
        return 1.0 if apart == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(apart) / error))
