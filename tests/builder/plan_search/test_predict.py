"""What a plan is predicted to measure: exact where it was measured, by weights and simulated noise elsewhere."""

from __future__ import annotations

import math

import pytest

from builder.plan_search.goal import Measures
from builder.plan_search.predict import predict, predict_alone
from builder.plan_search.space import Choice
from builder.precision.layers import Layer, LayerTable

SIMULATED = {"static_wi8_ai8": (1e-5, 1e-4)}
FLOATS, INTEGERS = ("fp32", "fp32"), ("static_wi8_ai8", "static_wi8_ai8")


def table() -> LayerTable:
    sizes = {"large": (1000, 3000), "small": (100, 1000)}
    return LayerTable(
        layers=tuple(
            Layer(
                name=name, op="conv2d", weight=f"{name}.weight", bias=None, weight_shape=(params,), params=params,
                macs=macs, uses=1,
            )
            for name, (params, macs) in sizes.items()
        )
    )  # fmt: skip


def measured(psnr_db: float, size: int) -> Measures:
    return Measures(psnr_db=psnr_db, psnr_db_mean=psnr_db, ssim=None, ssim_mean=None, top1=None, bytes=size, cost=None)


def test_a_plan_that_was_measured_is_not_guessed() -> None:
    known = {Choice(schemes=FLOATS): measured(120.0, 5000)}
    found = predict(Choice(schemes=FLOATS), known, table(), SIMULATED)
    assert (found.bytes, found.psnr_db, found.measured) == (5000, 120.0, True)


def test_bytes_follow_the_weights_and_noise_the_simulation() -> None:
    """From floats: three of four bytes of each changed weight are saved, and the layer's simulated noise is added."""
    known = {Choice(schemes=FLOATS): measured(120.0, 5000)}
    found = predict(Choice(schemes=("static_wi8_ai8", "fp32")), known, table(), SIMULATED)
    assert found.bytes == 5000 - 3 * 1000
    assert found.psnr_db == pytest.approx(-10 * math.log10(1e-5 + 1e-12), abs=0.01)
    assert found.work < 1
    assert not found.measured


def test_the_nearest_measurement_sets_the_scale() -> None:
    """Integers measured twice the noise that was simulated: a layer that goes back to floats takes twice its own away."""
    known = {
        Choice(schemes=FLOATS): measured(120.0, 5000),
        Choice(schemes=INTEGERS): measured(-10 * math.log10(2.2e-4), 1800),
    }
    found = predict(
        Choice(schemes=("static_wi8_ai8", "fp32")),
        {Choice(schemes=INTEGERS): known[Choice(schemes=INTEGERS)]},
        table(),
        SIMULATED,
    )
    assert found.psnr_db == pytest.approx(-10 * math.log10(2.2e-4))  # no better than what was measured
    found = predict(Choice(schemes=("static_wi8_ai8", "fp32")), known, table(), SIMULATED)
    assert found.psnr_db == pytest.approx(50, abs=3.1)


def test_without_a_simulation_only_bytes_and_work_are_told() -> None:
    known = {Choice(schemes=FLOATS): measured(120.0, 5000)}
    assert predict(Choice(schemes=INTEGERS), known, table(), None).psnr_db is None
    assert predict_alone("static_wi8_ai8", 1, None) is None
    assert predict_alone("static_wi8_ai8", 1, SIMULATED) == pytest.approx(40)
    assert predict_alone("fp16", 1, SIMULATED) is None
