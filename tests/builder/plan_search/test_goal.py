"""Budgets as an order of trials, cost without a runner, and plans as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.backends import BACKENDS
from builder.errors import ConfigError
from builder.plan_search.cost import WEIGHTED_MACS, MacCost, measure_name
from builder.plan_search.goal import Goal, Measures
from builder.plan_search.result import SearchResult, explain_unmet, find_curve, find_nearest
from builder.plan_search.space import Choice, plan_of, plan_text
from builder.plan_search.trials import Trial
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import load_plan, resolve
from builder.precision.ranges import CalibrationSettings
from builder.project.budgets import SearchSection

NAMES = ("head", "blocks.0.dw", "tail")
TABLE = LayerTable(
    layers=tuple(
        Layer(name=name, op="conv2d", weight=f"{name}.weight", bias=None, weight_shape=(4, 4, 1, 1), params=16, macs=macs, uses=1)
        for name, macs in zip(NAMES, (100, 200, 700), strict=True)
    )
)  # fmt: skip


def measures(psnr_db: float, size: int, cost: float | None = None) -> Measures:
    return Measures(psnr_db=psnr_db, psnr_db_mean=psnr_db, ssim=None, ssim_mean=None, top1=None, bytes=size, cost=cost)


def trials(*found: Measures) -> list[Trial]:
    return [
        Trial(number=n, origin="search", what="", schemes=("fp32",), measures=m, failure=None)
        for n, m in enumerate(found, 1)
    ]


def test_limits_come_first_and_the_objective_after() -> None:
    """A plan within the limits ranks before a better one outside them; a smaller excess before a larger one."""
    goal = Goal.of(SearchSection(objective="psnr", max_bytes="1 KB"))
    good, better, too_big, far_too_big = (
        measures(30, 900),
        measures(31, 1000),
        measures(60, 1001),
        measures(90, 2000),
    )
    assert sorted([far_too_big, too_big, good, better], key=goal.rank) == [better, good, too_big, far_too_big]
    assert [goal.is_met(m) for m in (better, too_big)] == [True, False]


def test_a_plan_that_coverage_alone_refuses_is_offered_with_the_line_that_takes_it() -> None:
    """The limit came from the stock recipes and stands in no file of the user's: the sentence names its key and a value."""
    small = measures(34.7, 9216).model_copy(update={"delegated": 0.7661})
    result = SearchResult(
        variant="found", backend="tflite", delegate="xnnpack", budgets=SearchSection(objective="psnr", max_bytes=9216),
        cost=None, layers=NAMES, chosen=None, nearest_small=1, nearest_good=1, curve=(1,), damage=(),
        trials=tuple(trials(small)), plan=None, coverage=0.95,
    )  # fmt: skip
    said = explain_unmet(result)
    assert "min_coverage = 0.95 (what stock recipes have)" in said
    assert "or accept trial 1 by min_coverage = 0.766 in [variant.search]" in said


def test_the_curve_and_the_nearest_plans_are_those_that_no_other_beats() -> None:
    """Beaten and equal trials are left out; each side names the best that keeps its own limits."""
    goal = Goal.of(SearchSection(objective="bytes", min_psnr_db=50, max_bytes=900))
    made = trials(measures(60, 1500), measures(40, 800), measures(39, 850), measures(55, 1200), measures(55, 1200))
    assert find_curve(made, goal) == (2, 4, 1)
    assert find_nearest(made, goal) == (2, 4)


def test_macs_are_weighted_by_the_width_of_their_arithmetic() -> None:
    """Stored precision alone saves no arithmetic; Core ML says why nothing was counted."""
    meter = MacCost(layers=TABLE)
    of = [("fp32", "fp16", "weight_only_wi8_afp32"), ("fp32", "fp32", "static_wi8_ai8"), ("static_wi8_ai16",) * 3]
    ratios = [meter.ratio(None, schemes) for schemes in of]  # type: ignore[arg-type]
    assert ratios == [1.0, pytest.approx(0.1 + 0.2 + 0.7 / 4), 0.5]
    assert measure_name(BACKENDS["coreml"].SPEC, None, "all") == f"{WEIGHTED_MACS} (arm64 runs no coreml)"


def test_a_gpu_has_no_cost_without_a_phone() -> None:
    """Instructions of a processor say nothing of it, and weights of fewer bits save it no arithmetic."""
    for device in (None, "arm64"):
        with pytest.raises(ConfigError, match=r"a GPU computes every scheme in fp16.*set 'device'"):
            measure_name(BACKENDS["tflite"].SPEC, device, "gpu")


def test_a_found_plan_reads_back_as_it_was_with_a_rule_a_line(tmp_path: Path) -> None:
    """Dots in names match only themselves, and the reasons stand beside their rules."""
    schemes = ("fp16", "static_wi8_ai8", "static_wi8_ai8")
    settings = CalibrationSettings(ranges="mse", correct_biases=True)
    choice = Choice(schemes=schemes, settings=settings, between="static_wi8_ai8")
    text = plan_text(plan_of(NAMES, choice), ["Found."], {"head": "kept high: why"})
    (tmp_path / "plan.toml").write_text(text)
    resolved = resolve(load_plan(tmp_path / "plan.toml"), TABLE, where="plan.toml")
    assert tuple(resolved.scheme(name).name for name in NAMES) == schemes
    assert (resolved.calibration, resolved.between) == (settings, "static_wi8_ai8")
    assert "{ match = 'head', scheme = \"fp16\" },  # kept high: why" in text
    assert [line.count("match") for line in text.splitlines()].count(1) == 2
