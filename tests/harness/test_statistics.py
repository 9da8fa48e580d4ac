"""Statistics: properties that must hold for any samples, and known cases."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics import bootstrap_medians, ratio_of_medians, summarize

SAMPLES = st.lists(st.integers(1, 10**12), min_size=1, max_size=60)


@given(SAMPLES)
def test_summary_is_ordered_and_inside_the_samples(samples: list[int]) -> None:
    """Minimum, median, p90, p95, p99 and maximum rise, and the interval surrounds the median."""
    s = summarize(samples)
    assert min(samples) == s.minimum <= s.median <= s.p90 <= s.p95 <= s.p99 <= s.maximum == max(samples)
    assert s.minimum <= s.low <= s.median <= s.high <= s.maximum
    assert s.count == len(samples)


@given(SAMPLES, st.integers(2, 1000))
def test_summary_follows_the_unit(samples: list[int], factor: int) -> None:
    """Samples in another unit give the same summary in that unit, and the same dispersion."""
    one, other = summarize(samples), summarize([value * factor for value in samples])
    assert other.median == pytest.approx(one.median * factor)
    assert other.high == pytest.approx(one.high * factor)
    assert other.dispersion == pytest.approx(one.dispersion)


@given(SAMPLES)
def test_order_of_samples_does_not_matter(samples: list[int]) -> None:
    """A summary is a property of the set of samples."""
    assert summarize(samples) == summarize(sorted(samples, reverse=True))


@given(SAMPLES)
def test_a_set_compared_with_itself_is_no_difference(samples: list[int]) -> None:
    """Identical samples never count as faster or slower."""
    ratio = ratio_of_medians(samples, samples)
    assert ratio.value == 1
    assert ratio.verdict == "no significant difference"


@pytest.mark.parametrize("size", [5, 6, 29, 30])
def test_direct_bootstrap_equals_resampling(size: int) -> None:
    """Drawing order statistics gives the same distribution of medians as making the resamples."""
    samples = np.random.default_rng(3).gamma(9.0, 1.0, size)
    direct = bootstrap_medians(samples, draws=20_000, seed=1)
    made = np.median(np.random.default_rng(2).choice(samples, size=(20_000, size)), axis=1)
    for quantile in (0.025, 0.25, 0.5, 0.75, 0.975):
        spread = np.quantile(made, min(1, quantile + 0.012)) - np.quantile(made, max(0, quantile - 0.012))
        assert abs(np.quantile(direct, quantile) - np.quantile(made, quantile)) <= spread + 1e-9


def test_interval_covers_the_true_median() -> None:
    """About 95 of 100 intervals hold the median that the samples were drawn with."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        s = summarize(random.lognormal(0.0, 0.1, 101))
        held += s.low <= 1.0 <= s.high
    assert 0.91 <= held / 400 <= 0.99


def test_five_percent_is_seen_in_clean_samples() -> None:
    """A 5 % slow-down in 200 samples with 3 % noise is called slower, and the reverse faster."""
    random = np.random.default_rng(5)
    base, slow = random.normal(100, 3, 200), random.normal(105, 3, 200)
    assert ratio_of_medians(base, slow).verdict == "slower"
    assert ratio_of_medians(slow, base).verdict == "faster"


def test_a_million_samples_take_two_seconds_at_most() -> None:
    """Summaries scale by sorting, not by resampling."""
    samples = np.random.default_rng(0).gamma(9.0, 1e6, 1_000_000)
    start = time.perf_counter()
    summarize(samples)
    assert time.perf_counter() - start <= 2


@settings(max_examples=30)
@given(st.sampled_from([[], [float("nan")], [float("inf"), 1.0], [-1.0, 2.0]]))
def test_samples_that_mean_nothing_are_refused(samples: list[float]) -> None:
    """Empty, not finite and negative samples raise a ValueError that says so."""
    with pytest.raises(ValueError, match=r"no samples|finite and not negative"):
        summarize(samples)


def test_ratio_to_zero_is_refused() -> None:
    """A ratio to a median of zero has no meaning."""
    with pytest.raises(ValueError, match="zero"):
        ratio_of_medians([0, 0, 0], [1, 2, 3])
