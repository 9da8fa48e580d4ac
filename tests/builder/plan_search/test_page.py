"""The page and the notebook view of a search, from an invented result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from builder.plan_search.goal import Goal, Measures
from builder.plan_search.page import render_fragment, render_page
from builder.plan_search.result import SearchResult, find_curve
from builder.plan_search.trials import Trial
from builder.project.budgets import SearchSection

RECIPES = (("fp32", 130.0, 14_000, 1.0), ("fp16", 60.0, 10_000, 1.0), ("weight_only_wi4_afp32", 45.0, 5_000, 0.07))


def invented() -> SearchResult:
    budgets = SearchSection(objective="psnr", max_bytes="12 KB", min_psnr_db=40)
    trials = tuple(
        Trial(
            number=number, origin="uniform", what=f"every layer {scheme}", schemes=(scheme,), failure=None,
            measures=Measures(
                psnr_db=psnr, psnr_db_mean=psnr, ssim=None, ssim_mean=None, top1=None, bytes=size, cost=None, delegated=share
            ),
        )
        for number, (scheme, psnr, size, share) in enumerate(RECIPES, 1)
    )  # fmt: skip
    return SearchResult(
        variant="a<b", backend="tflite", delegate="xnnpack", budgets=budgets, cost=None, layers=("conv",), chosen=2,
        nearest_small=None, nearest_good=None, curve=find_curve(trials, Goal.of(budgets)), damage=(), trials=trials,
        plan="# a plan\n", coverage=0.95,
    )  # fmt: skip


def test_the_page_has_a_legend_budgets_recipes_and_differences(tmp_path: Path) -> None:
    """Budgets are lines, stock recipes squares with their names, each picture has its difference enlarged below it."""
    pixels = np.random.default_rng(0).integers(0, 200, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "source.png")
    Image.fromarray(pixels + 3).save(tmp_path / "fp16.png")
    text = render_page(invented(), {2: tmp_path / "fp16.png"}, tmp_path / "source.png")
    assert text.count('stroke-dasharray="5 3"/>') == 3  # two budgets, and the legend
    for scheme, *_ in RECIPES:
        assert f">{scheme}</text>" in text
    assert "7.0% delegated" in text
    assert "at least 95.0% of the multiply-accumulates" in text
    assert text.count("data:image/png;base64,") == 3
    assert "times 64" in text
    assert "a&lt;b" in text
    assert "://" not in text


def test_a_notebook_shows_the_plots_and_the_plan() -> None:
    """A fragment: no document of its own, no script."""
    text = render_fragment(invented())
    assert text.startswith("<div><h3>")
    assert "<svg" in text
    assert "# a plan" in text
    assert "<script" not in text
    assert "<html" not in text
