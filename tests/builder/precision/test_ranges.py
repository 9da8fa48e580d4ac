"""Ranges of activations: what is observed, what each method keeps, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.errors import ConversionError
from builder.precision.ranges import (
    RANGE_METHODS,
    CalibrationSettings,
    Observation,
    check_observed,
    choose_range,
    load_observed,
    save_observed,
)


def observed(*tensors: np.ndarray) -> Observation:  # type: ignore[type-arg]
    seen = Observation()
    for tensor in tensors:
        seen.add(tensor, 1)
    return seen


def outliers(seed: int = 0) -> Observation:
    """A bell of width 1 with a few values a hundred times as far out, channels along axis 1."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(1, 8, 64, 64)).astype(np.float32)
    values[0, 0, 0, :3] = (100, -100, 90)
    return observed(values)


def test_extremes_and_means_are_exact_over_all_samples() -> None:
    """Whatever the order of the samples: the histogram grows without losing what it holds."""
    random = np.random.default_rng(1)
    tensors = [(random.normal(size=(1, 3, 9, 7)) * 10.0**n).astype(np.float32) for n in range(3)]
    one, other = observed(*tensors), observed(*reversed(tensors))
    whole = np.concatenate(tensors)
    for seen in (one, other):
        assert (seen.low, seen.high) == (whole.min(), whole.max())
        assert np.allclose(seen.average_channels(), whole.mean(axis=(0, 2, 3)))
        assert seen.counts.sum() == whole.size
        assert seen.reach >= max(-seen.low, seen.high)


def test_min_max_cuts_nothing_and_the_others_cut_outliers() -> None:
    """Three values in 32,768 decide min_max's range; percentile leaves them out, mse weighs what cutting costs."""
    seen = outliers()
    ranges = {m: choose_range(seen, CalibrationSettings(ranges=m), bits=8, symmetric=False) for m in RANGE_METHODS}
    assert ranges["min_max"] == (-100, 100)
    low, high = ranges["percentile"]
    assert 3 < high < 5
    assert -5 < low < -3
    low, high = ranges["mse"]
    assert -100 < low < high < 100


def test_mse_gives_the_least_error_of_all_methods() -> None:
    """Quantizing the values themselves with each range, the error of mse's is the smallest."""
    values = np.random.default_rng(2).standard_t(3, size=(1, 4, 100, 100)).astype(np.float32)
    seen = observed(values)

    def error(low: float, high: float) -> float:
        step = (high - low) / 255
        start = round(low / step) * step
        return float(np.mean((np.clip(np.rint((values - start) / step), 0, 255) * step + start - values) ** 2))

    errors = {
        m: error(*choose_range(seen, CalibrationSettings(ranges=m), bits=8, symmetric=False)) for m in RANGE_METHODS
    }
    assert errors["mse"] <= min(errors.values()) * 1.01


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_zero_is_in_every_range_and_symmetric_ranges_are(method: str) -> None:
    """Padding is zero, whatever the values are."""
    seen = observed(np.full((1, 2, 4, 4), 3.0, np.float32), np.full((1, 2, 4, 4), 5.0, np.float32))
    settings = CalibrationSettings.model_validate({"ranges": method})
    low, high = choose_range(seen, settings, bits=8, symmetric=False)
    assert low == 0
    assert 4.5 < high <= 5.01
    low, high = choose_range(outliers(), settings, bits=16, symmetric=True)
    assert low == -high


@pytest.mark.parametrize(
    ("values", "what"), [((0.0,), "nothing but zero"), ((np.inf,), "not finite"), ((1.0, np.nan), "not finite")]
)
def test_a_range_of_zero_or_infinity_names_the_layer(values: tuple[float, ...], what: str) -> None:
    """A layer that calibration never exercised, or drove beyond all numbers, cannot be quantized."""
    seen = observed(*(np.full((1, 1, 2, 2), value, np.float32) for value in values))
    with pytest.raises(ConversionError, match=rf"{what}.* at the output of layer 'blocks\.0\.dw'"):
        check_observed(seen, "blocks.0.dw", "output")


def test_observations_are_kept_whole(tmp_path: Path) -> None:
    """What is read from the file gives the same ranges and means."""
    seen = {"a": outliers(), "b/c": observed(np.ones((1, 3), np.float32))}
    save_observed(seen, tmp_path / "observed.npz")
    again = load_observed(tmp_path / "observed.npz")
    for name, one in seen.items():
        for method in RANGE_METHODS:
            settings = CalibrationSettings(ranges=method)
            before, after = (choose_range(s, settings, bits=8, symmetric=False) for s in (one, again[name]))
            assert before == after
        assert np.array_equal(again[name].average_channels(), one.average_channels())  # type: ignore[arg-type]
