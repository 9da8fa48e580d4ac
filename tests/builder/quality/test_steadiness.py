"""The yardstick of floors: what noise 60 dB below the inputs does to a network."""

from __future__ import annotations

import numpy as np

from builder.bundle import TensorSpec
from builder.quality.steadiness import compute_floor_db, measure_noise_db

SPEC = TensorSpec(name="x", kind="tensor", shape=(1, 3, 16, 16))


def told(function: object) -> float:
    sample = {"x": np.random.default_rng(0).random((1, 3, 16, 16), np.float32)}
    return measure_noise_db(lambda given: {"x": function(given["x"])}, [sample], (SPEC,), (SPEC,))  # type: ignore[operator,list-item]


def test_noise_comes_out_as_strong_as_the_network_makes_it() -> None:
    """60 dB through a network that changes nothing, 40 through one that turns a hundredth into one, more through a mean."""
    assert abs(told(lambda x: x) - 60) < 1
    assert abs(told(lambda x: np.sin(100 * x) / 2) - 29) < 2
    assert told(lambda x: x + x.mean()) >= 59
    assert told(lambda x: np.broadcast_to(x.mean(), x.shape) + np.linspace(0, 1, 16)) > 75


def test_a_floor_is_lower_only_where_the_network_amplifies() -> None:
    """Sturdy networks keep the usual floor; nothing falls to where two unrelated pictures stand; fp32 is asked for more than fp16."""
    assert (
        compute_floor_db(40, 60, "fp16") == compute_floor_db(40, None, "fp16") == compute_floor_db(40, 60, "fp32") == 40
    )
    assert compute_floor_db(40, 30, "fp16") == 27
    assert compute_floor_db(40, 12.7, "fp16") == compute_floor_db(28, 5, "int8") == 10
    assert compute_floor_db(40, 12.7, "fp32") == 40
    assert compute_floor_db(28, 30, "int8") == 15
