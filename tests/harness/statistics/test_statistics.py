"""Statistics: properties that must hold for any samples, and known cases."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.statistics import (
    estimate_level_of_rounds,
    estimate_median,
    estimate_ratio_of_rounds,
    estimate_ratio_of_runs,
    estimate_ratio_of_sessions,
    find_outliers,
    find_resolution,
    holm,
    judge_stationarity,
    pair_ratio,
    summarize,
)
from harness.statistics.interval import estimate_quantile
from harness.statistics.levels import find_two_levels

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
@example([1, 1, 1, 1, 1, 706])
def test_a_set_compared_with_itself_is_no_difference(samples: list[int]) -> None:
    """Identical samples never count as faster or slower, as one run or as rounds."""
    for ratio in (
        estimate_ratio_of_runs(samples, samples),
        estimate_ratio_of_rounds([samples, samples], [samples, samples]),
    ):
        assert ratio.value == 1
        assert ratio.verdict == "no significant difference"


def test_blocks_follow_the_correlation() -> None:
    """Independent samples give blocks of a sample or two, correlated ones longer blocks and a wider interval."""
    alone, together = correlated(1, 400, 0.0), correlated(1, 400, 0.8)
    assert summarize(alone).block <= 4 < summarize(together).block
    shuffled = np.random.default_rng(0).permutation(together)
    assert width(together) > 1.5 * width(shuffled)


def width(samples: NDArray[np.float64]) -> float:
    found = estimate_median(samples)
    return found.high - found.low


def correlated(seed: int, count: int, phi: float, spread: float = 0.03) -> NDArray[np.float64]:
    """Log-normal samples about 1 whose logarithms are AR(1): 1.0 is their true median."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, np.sqrt(1 - phi**2), count + 200)
    from scipy.signal import lfilter

    return np.asarray(np.exp(spread * lfilter([1], [1, -phi], noise)[200:]))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_interval_covers_the_true_median(phi: float) -> None:
    """95 of 100 intervals hold the median that the samples were drawn with, however the samples hang together."""
    found = [estimate_median(correlated(seed, 200, phi)) for seed in range(600)]
    held = sum(interval.low <= 1.0 <= interval.high for interval in found)
    assert 0.93 <= held / 600 <= 0.98  # 600 intervals tell coverage to 1 %; the benchmark makes more


def test_interval_of_a_high_quantile_covers() -> None:
    """The same holds for the 90 % quantile."""
    truth = np.exp(0.03 * 1.2815515655)
    found = [estimate_quantile(correlated(seed, 400, 0.5), 0.9) for seed in range(400)]
    assert 0.92 <= sum(interval.low <= truth <= interval.high for interval in found) / 400 <= 0.98


def test_rounds_tell_how_runs_differ() -> None:
    """Intervals over rounds hold the true level although each run has an offset that resembles that of the run before; those of one
    run do not."""
    held = alone = 0
    for turn in range(300):
        offsets = np.log(correlated(9000 + turn, 6, 0.5, 0.02))
        rounds = [correlated(6 * turn + number, 100, 0.3) * np.exp(offset) for number, offset in enumerate(offsets)]
        level = estimate_level_of_rounds(rounds)
        held += level.low <= 1 <= level.high
        first = estimate_median(rounds[0])
        alone += first.low <= 1 <= first.high
    assert 0.92 <= held / 300 <= 0.98
    assert alone / 300 < 0.7


def test_rounds_that_lie_apart_resemble_one_another_less() -> None:
    """With three variants in turn the interval of one still holds the truth in 95 %, and would be too wide if its rounds counted as neighbours."""
    held = wide = 0
    for turn in range(400):
        offsets = np.log(correlated(20_000 + turn, 15, 0.5, 0.02))[::3]
        rounds = [correlated(5 * turn + number, 100, 0.3) * np.exp(offset) for number, offset in enumerate(offsets)]
        apart, near = estimate_level_of_rounds(rounds, turns=3), estimate_level_of_rounds(rounds)
        held += apart.low <= 1 <= apart.high
        wide += near.low <= 1 <= near.high
    assert 0.92 <= held / 400 <= 0.97
    assert wide / 400 > 0.97


def test_five_percent_is_seen_in_rounds() -> None:
    """A 5 % slow-down under 1 % of run-to-run noise is called slower, the reverse faster."""
    random = np.random.default_rng(5)
    base, slow = ([random.normal(level, 3, 200) * random.normal(1, 0.01) for _ in range(6)] for level in (100, 105))
    assert estimate_ratio_of_rounds(base, slow).verdict == "slower"
    assert pair_ratio(slow, base).verdict == "faster"


def test_one_new_run_can_be_held_against_a_baseline_of_several() -> None:
    """The baseline's rounds tell how runs differ; two runs alone cannot."""
    random = np.random.default_rng(6)
    base = [random.normal(100, 1, 50) * random.normal(1, 0.01) for _ in range(8)]
    assert estimate_ratio_of_rounds(base, [random.normal(100, 1, 50)]).verdict == "no significant difference"
    assert estimate_ratio_of_rounds(base, [random.normal(115, 1, 50)]).verdict == "slower"
    with pytest.raises(ValueError, match="two runs alone"):
        estimate_ratio_of_rounds(base[:1], base[1:2])


def test_holm_is_the_published_correction() -> None:
    """The example of p-values 0.01, 0.04, 0.03, 0.005 gives 0.03, 0.06, 0.06, 0.02."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_never_makes_a_p_value_smaller(values: list[float]) -> None:
    """Adjusted values are at least the given ones, at most 1, and keep their order."""
    adjusted = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    assert [adjusted[i] for i in np.argsort(values, kind="stable")] == sorted(adjusted)


def test_a_change_of_level_is_found_where_it_is() -> None:
    """A step of 12 % in correlated noise is located to a few samples; steady noise of the same kind is stationary."""
    steady = correlated(3, 200, 0.6)
    stepped = steady * np.where(np.arange(200) < 120, 1.0, 1.12)
    found = judge_stationarity(stepped)
    assert not found.stationary
    assert len(found.shifts) == 1
    assert abs(found.shifts[0].at - 120) <= 4
    assert found.change == pytest.approx(0.12, abs=0.02)
    assert judge_stationarity(steady).stationary


def test_a_slow_drift_is_found() -> None:
    """A rise of 15 % from end to end is named as drift, with its size."""
    found = judge_stationarity(correlated(4, 300, 0.3, 0.01) * np.linspace(1, 1.15, 300))
    assert found.drift == pytest.approx(0.14, abs=0.02)
    assert found.drifts


def test_steady_runs_are_seldom_called_unsteady() -> None:
    """Of 200 steady runs with strongly correlated noise at most 2 % are flagged."""
    flagged = sum(not judge_stationarity(correlated(seed, 200, 0.6)).stationary for seed in range(200))
    assert flagged <= 4


def test_outliers_are_flagged_and_kept() -> None:
    """Two samples far away are named by index and count in the maximum; equal samples have none."""
    samples = [100.0 + index % 5 for index in range(50)]
    samples[7], samples[31] = 400.0, 20.0
    assert find_outliers(samples).tolist() == [7, 31]
    summary = summarize(samples)
    assert (summary.outliers, summary.maximum, summary.minimum, summary.count) == (2, 400.0, 20.0, 50)
    assert find_outliers([5.0] * 40).size == 0
    assert find_outliers([5.0] * 40 + [6.0]).tolist() == [40]


def test_a_million_samples_take_two_seconds_at_most() -> None:
    """Summaries and the search for changes scale by sorting, not by resampling."""
    samples = np.random.default_rng(0).gamma(9.0, 1e6, 1_000_000)
    start = time.process_time()
    summarize(samples)
    judge_stationarity(samples)
    assert time.process_time() - start <= 2


@settings(max_examples=30)
@given(st.sampled_from([[], [float("nan")], [float("inf"), 1.0], [-1.0, 2.0]]))
def test_samples_that_mean_nothing_are_refused(samples: list[float]) -> None:
    """Empty, not finite and negative samples raise a ValueError that says so."""
    with pytest.raises(ValueError, match=r"no samples|finite and not negative"):
        summarize(samples)


def test_ratio_to_zero_is_refused() -> None:
    """A ratio to a level of zero has no meaning."""
    with pytest.raises(ValueError, match="zero"):
        estimate_ratio_of_runs([0, 0, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="zero"):
        pair_ratio([[0, 0], [0, 0]], [[1, 2], [1, 2]])


def test_a_coarse_timer_decides_nothing_below_its_step() -> None:
    """A timer of 1 ms at 8 ms: equal levels are no different, and a real 5 % is neither seen nor within 3 %."""
    draw = np.random.default_rng(3)

    def told(level: float) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        return [np.floor(level * np.exp(draw.normal(0, 0.03, 200)) / 1e6) * 1e6 for _ in range(5)]

    assert find_resolution(told(8e6)[0]) == 1e6
    for factor in (1.0, 1.05):
        ratio = pair_ratio(told(8e6), told(8e6 * factor))
        assert ratio.verdict == "no significant difference"
        assert ratio.low <= factor <= ratio.high
        assert ratio.high > 1.03
    assert find_resolution(draw.normal(8e6, 2e5, 200)) == 0.0
    assert find_resolution([1, 1, 1, 1, 1, 706]) == 1
    assert find_resolution([0, 0, 0, 0, 4, 4, 4, 4, 8]) == 4


def test_sessions_are_a_level_of_their_own() -> None:
    """Nights that differ by 2 %: hardly one of 200 identical pairs is told apart, and two nights alone decide nothing."""
    draw = np.random.default_rng(4)

    def night() -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        offset = draw.normal(0, 0.02)
        return [8e6 * np.exp(offset + draw.normal(0, 0.005) + draw.normal(0, 0.03, 50)) for _ in range(5)]

    found = [estimate_ratio_of_sessions([night() for _ in range(4)], [night()]) for _ in range(200)]
    assert {ratio.basis for ratio in found} == {"sessions"}
    assert sum(ratio.verdict != "no significant difference" for ratio in found) <= 14  # 3 % are expected
    assert 180 <= sum(ratio.low <= 1 <= ratio.high for ratio in found) <= 198
    alone = estimate_ratio_of_sessions([night()], [night()])
    assert (alone.basis, alone.verdict, alone.missing) == ("too few sessions", "undecided", 3)


@pytest.mark.parametrize(
    ("medians", "levels"),
    [
        ([8.0, 8.5, 8.01, 8.52, 8.02, 8.49], (8.01, 8.5)),
        ([8.0, 8.05, 8.1, 8.15, 8.2, 8.25], None),  # noise
        ([8.0, 8.01, 8.02, 8.01, 9.0], None),  # one round that something disturbed
        ([8.0, 8.001, 8.01, 8.011], None),  # too near
        ([8.0, 9.0], None),
        ([0.0, 0.0, 1.0, 1.0], None),
    ],
)
def test_two_levels(medians: list[float], levels: tuple[float, float] | None) -> None:
    """Two groups of rounds with a clear gap between; noise and a single stray round are none."""
    assert find_two_levels(medians) == levels
