"""Interval of a quantile of serially correlated samples: a circular block bootstrap, in closed form.

The median is at most x when at least half of the samples are. How many samples of a resample lie below x is a sum of block
counts, so the bootstrap's spread of that count follows from the spread of the blocks, without making resamples
(Kuensch 1989, Annals of Statistics 17; Politis & Romano 1992 for blocks that wrap around; Sun & Lahiri 2006, Sankhya 68, for
quantiles). The interval of the count becomes one of the quantile by reading off order statistics (Woodruff 1952, JASA 47).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The usual confidence, at which all intervals of reports are told.
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % interval `low..high` of a quantile, in the samples' unit.

    `block` is the length of the bootstrap's blocks (1: the samples are independent), `freedom` the degrees of freedom of the t
    quantile that widens the interval where few blocks fit into the run.
    """

    value: float
    low: float
    high: float
    block: int
    freedom: float


def estimate_median(samples: ArrayLike) -> Interval:
    """Median with its interval. Samples are in the order of measurement. Raises ValueError for none, negative or not finite."""
    return estimate_quantile(samples, 0.5)


def estimate_quantile(samples: ArrayLike, probability: float) -> Interval:
    """The same for any quantile, e.g. 0.9. Too few samples for it give the smallest or the largest sample as a limit."""
    from scipy.special import stdtrit

    values = check(samples)
    ordered = np.sort(values)
    n = values.size
    value = compute_quantile(ordered, probability)
    below = (values <= value).astype(np.float64)
    block = choose_block_length(below)
    freedom = max(1.0, n / block - 1)
    # ties and rounding make the indicator's own mean differ from the probability; its variance may not vanish for that
    variance = max(estimate_long_run_variance(below, block), probability * (1 - probability))
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * float(np.sqrt(n * variance))
    lowest = int(np.clip(np.floor(n * probability - reach), 0, n - 1))
    highest = int(np.clip(np.ceil(n * probability + reach) - 1, 0, n - 1))
    return Interval(
        value=value,
        low=min(value, float(ordered[lowest])),
        high=max(value, float(ordered[highest])),
        block=block,
        freedom=freedom,
    )


def compute_quantile(ordered: NDArray[np.float64], probability: float) -> float:
    """Quantile of sorted samples, linear between order statistics (Hyndman & Fan 1996, type 7, as numpy's)."""
    at = (ordered.size - 1) * probability
    below = int(at)
    above = min(below + 1, ordered.size - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (at - below))


def estimate_long_run_variance(series: NDArray[np.float64], block: int) -> float:
    """n times the variance of the series' mean, from circular blocks; the lugsail combination of two block lengths.

    Blocks cut correlations at their ends, so one length alone gives too little where samples hang together; extrapolating from
    a third of the length removes the leading part of that (Vats & Flegal 2022, Biometrika 109, r = 3, c = 1/2).
    """
    whole = _estimate_block_variance(series, block)
    third = block // 3
    if third < 1:
        return whole
    return max(whole, 2 * whole - _estimate_block_variance(series, third))


def _estimate_block_variance(series: NDArray[np.float64], block: int) -> float:
    n = series.size
    centred = series - series.mean()
    total = np.concatenate(([0.0], np.cumsum(np.concatenate((centred, centred[: block - 1])))))
    sums = total[block:] - total[:-block]
    count = n / block  # blocks in a resample: the factor below is that of a sample variance
    return float(np.mean(sums**2) / block * count / max(count - 1, 1e-9)) if n > 1 else 0.0


def choose_block_length(series: NDArray[np.float64]) -> int:
    """Block length of the circular bootstrap that is best for the mean of a series, from the series itself.

    Politis & White 2004, Econometric Reviews 23, with the correction of Patton, Politis & White 2009, Econometric Reviews 28.
    """
    n = series.size
    if n < 8:
        return 1
    reach = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    most = min(int(np.ceil(np.sqrt(n))) + reach, n - 1)
    covariance = autocovariance(series, most)
    if covariance[0] <= 0:
        return 1
    small = np.abs(covariance[1:] / covariance[0]) < 2 * np.sqrt(np.log10(n) / n)
    # the first lag after which `reach` correlations in a row are no more than chance
    run = np.convolve(small, np.ones(reach), mode="valid") if small.size >= reach else np.zeros(0)
    quiet = np.flatnonzero(run == reach)
    last = int(quiet[0]) if quiet.size else most
    bandwidth = min(2 * max(last, 1), most)
    lags = np.arange(1, bandwidth + 1)
    taper = np.clip(2 * (1 - lags / bandwidth), 0, 1)  # flat-top window
    spread = 2 * float(np.sum(taper * lags * covariance[lags]))
    power = float(covariance[0] + 2 * np.sum(taper * covariance[lags]))
    if power <= 0:
        return 1
    best = (2 * spread**2 / (4 / 3 * power**2)) ** (1 / 3) * n ** (1 / 3)
    return int(np.clip(np.ceil(best), 1, np.ceil(min(3 * np.sqrt(n), n / 3))))


def autocovariance(series: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Autocovariances at lags 0..`most`, by FFT."""
    from scipy.fft import irfft, next_fast_len, rfft

    n = series.size
    length = next_fast_len(n + most, real=True)
    spectrum = rfft(series - series.mean(), length)
    return np.asarray(irfft(np.abs(spectrum) ** 2, length)[: most + 1] / n)


def check(samples: ArrayLike) -> NDArray[np.float64]:
    """Samples as float64, in their order. Raises ValueError for none, negative or not finite ones."""
    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size == 0:
        raise ValueError("there are no samples")
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("samples must be finite and not negative")
    return values
