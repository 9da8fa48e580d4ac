"""Pure statistics of measured samples: summaries, bootstrap intervals of the median, and the comparison of two sets.

Nothing here knows of devices, files or records; every function gives the same result for the same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DRAWS = 4000  # bootstrap draws: the 2.5 % edges then rest on 100 draws each
SEED = 20240229  # any fixed number: the same samples must give the same interval everywhere
NORMAL_MAD = 1.4826  # 1 / Phi^-1(3/4): makes the MAD of a normal distribution equal to its standard deviation


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Samples in numbers, in the samples' own unit; `dispersion` is 1.4826 MAD / median, without unit.

    `low` and `high` are the 95 % bootstrap interval of the median.
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
    dispersion: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median of NEW over median of BASE with its 95 % bootstrap interval; `verdict` says what the interval allows to say."""

    value: float
    low: float
    high: float
    verdict: Literal["faster", "slower", "no significant difference"]


def bootstrap_medians(samples: ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.float64]:
    """Medians of `draws` resamples with replacement, drawn directly from their exact distribution.

    The k-th smallest of n draws from the samples is `sorted[floor(n * U)]` with U ~ Beta(k, n + 1 - k), the k-th uniform
    order statistic (David & Nagaraja, Order Statistics, 3rd ed., section 2.1), so no resample needs to be made and a
    million samples cost no more than sorting them. For even n both middle order statistics are drawn jointly.
    """
    ordered = _ordered(samples)
    n = ordered.size
    random = np.random.default_rng(seed)
    upper_rank = n // 2 + 1
    upper = random.beta(upper_rank, n + 1 - upper_rank, size=draws)
    high = ordered[_index(upper, n)]
    if n % 2:
        return high
    # given the next order statistic, the one below it is the largest of n / 2 uniforms on [0, upper]
    lower = upper * random.beta(upper_rank - 1, 1, size=draws)
    return (ordered[_index(lower, n)] + high) / 2


def summarize(samples: ArrayLike) -> Summary:
    """Summary of at least one finite, non-negative sample. Raises ValueError otherwise."""
    ordered = _ordered(samples)
    median = float(np.median(ordered))
    mad = float(np.median(np.abs(ordered - median)))
    p90, p95, p99 = (float(q) for q in np.quantile(ordered, (0.90, 0.95, 0.99)))
    low, high = (float(q) for q in np.quantile(bootstrap_medians(ordered), (0.025, 0.975)))
    return Summary(
        count=int(ordered.size),
        minimum=float(ordered[0]),
        median=median,
        p90=p90,
        p95=p95,
        p99=p99,
        maximum=float(ordered[-1]),
        mad=mad,
        low=low,
        high=high,
        dispersion=NORMAL_MAD * mad / median if median else 0.0,
    )


def ratio_of_medians(base: ArrayLike, new: ArrayLike) -> Ratio:
    """How much longer NEW takes than BASE; the two are resampled independently of one another. Raises ValueError for a zero base."""
    base_median = float(np.median(_ordered(base)))
    if base_median == 0:
        raise ValueError("a ratio to a median of zero has no meaning")
    base_draws = bootstrap_medians(base, seed=SEED)
    if base_draws.min() <= 0:
        raise ValueError("a ratio to samples of zero has no meaning")
    ratios = bootstrap_medians(new, seed=SEED + 1) / base_draws
    low, high = (float(q) for q in np.quantile(ratios, (0.025, 0.975)))
    return Ratio(value=float(np.median(_ordered(new))) / base_median, low=low, high=high, verdict=_verdict(low, high))


def _verdict(low: float, high: float) -> Literal["faster", "slower", "no significant difference"]:
    if high < 1:
        return "faster"
    if low > 1:
        return "slower"
    return "no significant difference"


def _ordered(samples: ArrayLike | Sequence[int]) -> NDArray[np.float64]:
    ordered = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    if ordered.size == 0:
        raise ValueError("there are no samples")
    if not np.isfinite(ordered).all() or ordered[0] < 0:
        raise ValueError("samples must be finite and not negative")
    return ordered


def _index(uniform: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    return np.minimum((uniform * n).astype(np.intp), n - 1)
