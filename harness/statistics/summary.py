"""A run in numbers, and the level of a variant from one run or from several rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.change import find_outliers
from harness.statistics.interval import LEVEL, check, compute_quantile, estimate_median

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# of the medians of neighbouring rounds of one session: they share temperature and whatever else runs; too few to be measured each time
ROUND_CORRELATION = 0.5
# 1 / Phi^-1(3/4): makes the MAD of a normal distribution equal to its standard deviation.
NORMAL_MAD = 1.4826


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Samples in numbers, in the samples' own unit; `dispersion` is 1.4826 MAD / median, without unit.

    `low` and `high` are the 95 % interval of the median, by blocks of `block` samples. `outliers` counts samples far from the others;
    they are part of every figure.
    """

    count: int
    minimum: float
    median: float
    p90: float
    p95: float
    p99: float
    maximum: float
    mad: float
    low: float
    high: float
    block: int
    freedom: float
    dispersion: float
    outliers: int


@dataclass(frozen=True, kw_only=True)
class Level:
    """How long one inference takes, on a logarithmic scale: its median over one run or its geometric mean over rounds.

    `below` and `above` are standard errors of the logarithm towards smaller and greater values, with `freedom` degrees of freedom;
    `rounds` is the number of runs, and `between` says that how runs differ from one another is in the errors.
    """

    log_value: float
    below: float
    above: float
    freedom: float
    rounds: int
    between: bool

    @property
    def value(self) -> float:
        return exp(self.log_value)

    @property
    def low(self) -> float:
        return exp(self.log_value - compute_quantile_of_t(self.freedom) * self.below)

    @property
    def high(self) -> float:
        return exp(self.log_value + compute_quantile_of_t(self.freedom) * self.above)


def summarize(samples: ArrayLike) -> Summary:
    """Summary of at least one finite, non-negative sample, in the order of measurement. Raises ValueError otherwise."""
    values = check(samples)
    interval = estimate_median(values)
    mad = float(np.median(np.abs(values - interval.value)))
    ordered = np.sort(values)
    p90, p95, p99 = (compute_quantile(ordered, probability) for probability in (0.90, 0.95, 0.99))
    return Summary(
        count=int(values.size),
        minimum=float(ordered[0]),
        median=interval.value,
        p90=p90,
        p95=p95,
        p99=p99,
        maximum=float(ordered[-1]),
        mad=mad,
        low=interval.low,
        high=interval.high,
        block=interval.block,
        freedom=interval.freedom,
        dispersion=NORMAL_MAD * mad / interval.value if interval.value else 0.0,
        outliers=int(find_outliers(values).size),
    )


def estimate_level_of_samples(samples: ArrayLike) -> Level:
    """Level of one run by its median. Raises ValueError when the median's interval reaches zero."""
    interval = estimate_median(samples)
    return _level(interval.value, interval.low, interval.high, interval.freedom)


def estimate_level_of_summary(summary: Summary) -> Level:
    """The same from the run's summary."""
    return _level(summary.median, summary.low, summary.high, summary.freedom)


def _level(value: float, low: float, high: float, freedom: float) -> Level:
    if low <= 0:
        raise ValueError("a level of zero has no logarithm")
    t = compute_quantile_of_t(freedom)
    return Level(
        log_value=log(value),
        below=log(value / low) / t,
        above=log(high / value) / t,
        freedom=freedom,
        rounds=1,
        between=False,
    )


def estimate_level_of_rounds(rounds: Sequence[ArrayLike], turns: int = 1) -> Level:
    """Level over several rounds. Its interval is that of the rounds' medians (Student's t of their logarithms, for rounds of which
    neighbours resemble one another, see `design`), which holds whatever makes one round differ from the next; of a single round it is the one within the run. `turns`: variants that took
    turns, so that as many runs lie from one round to the next. Raises ValueError for no rounds.
    """
    if len(rounds) == 1:
        return estimate_level_of_samples(rounds[0])
    logs = take_log_medians(rounds)
    effect = design(logs.size, turns)
    error = sqrt(float(np.sum((logs - logs.mean()) ** 2)) / (logs.size - effect) * effect / logs.size)
    return Level(
        log_value=float(np.mean(logs)),
        below=error,
        above=error,
        freedom=logs.size - 1.0,
        rounds=logs.size,
        between=True,
    )


def design(rounds: int, turns: int = 1) -> float:
    """How many times the variance of independent rounds their mean has, when the correlation of neighbouring runs is ROUND_CORRELATION
    and `turns` runs lie from one round to the next.

    1 + 2 sum (1 - j / n) r^j (Kish's design effect for an autoregressive series, as in Bayley & Hammersley 1946, J. R. Stat. Soc. 8).
    """
    return 1 + 2 * sum((1 - lag / rounds) * ROUND_CORRELATION ** (lag * turns) for lag in range(1, rounds))


def take_log_medians(rounds: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Logarithms of the medians of rounds. Raises ValueError for no rounds and for a median of zero."""
    medians = np.array([float(np.median(check(samples))) for samples in rounds])
    if medians.size == 0:
        raise ValueError("there are no rounds")
    if medians.min() <= 0:
        raise ValueError("a level of zero has no logarithm")
    return np.asarray(np.log(medians))


def compute_quantile_of_t(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))
