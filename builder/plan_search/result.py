"""What a search leaves: every trial, the chosen plan or the nearest ones, the trade-off curve, and each layer's damage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from builder.plan_search.goal import Goal, Measures
from builder.plan_search.trials import Trial
from builder.project.budgets import SearchSection


class LayerDamage(BaseModel):
    """Layers lowered alone to `low`: the PSNR of all else high, the noise power this adds, and the bytes it saves.

    Not `measured`: the noise is the layer's simulated part of what the whole network in `low` measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: tuple[str, ...]
    low: str
    psnr_db: float
    noise: float
    bytes_saved: int
    noise_per_byte: float
    measured: bool = True


class SearchResult(BaseModel):
    """`chosen` is the number of the trial that meets every budget best, None when none does.

    Then `nearest_small` is the best of those within bytes and cost, `nearest_good` of those good enough. `curve` holds the
    trials that no other beats in quality and size at once, by bytes. `coverage` is the part of the multiply-accumulates that was
    held to be the delegate's. `layers` are those of a trial's `schemes`, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    backend: str
    delegate: str
    budgets: SearchSection
    cost: str | None
    layers: tuple[str, ...]
    chosen: int | None
    nearest_small: int | None
    nearest_good: int | None
    curve: tuple[int, ...]
    damage: tuple[LayerDamage, ...]
    trials: tuple[Trial, ...]
    plan: str | None
    coverage: float | None = None

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, the plots, the plan and the trials."""
        from builder.plan_search.page import render_fragment

        return render_fragment(self)

    def trial(self, number: int) -> Trial:
        """The trial with this number; the first is 1."""
        return self.trials[number - 1]

    def measures(self, number: int) -> Measures:
        """What a trial measured. Raises ValueError for one that failed."""
        measures = self.trial(number).measures
        if measures is None:
            raise ValueError(f"trial {number} failed")
        return measures


def find_curve(trials: Sequence[Trial], goal: Goal) -> tuple[int, ...]:
    """Trials that no other equals or beats in quality, bytes and (where it counts) cost, by bytes."""
    names = (goal.quality().objective, "bytes", *(["cost"] if "cost" in (*goal.limits, goal.objective) else []))
    points: list[tuple[Trial, tuple[float, ...]]] = []
    for trial in trials:
        if trial.measures is not None:
            quantities = trial.measures.quantities()
            if all(name in quantities for name in names):
                points.append((trial, tuple(quantities[name] for name in names)))  # type: ignore[index]
    kept: dict[tuple[float, ...], int] = {}
    for trial, point in points:
        beaten = any(all(a <= b for a, b in zip(o, point, strict=True)) and o != point for _, o in points)
        if not beaten:
            kept.setdefault(point, trial.number)
    return tuple(number for _, number in sorted(kept.items(), key=lambda item: (item[0][1], item[0])))


def find_nearest(trials: Sequence[Trial], goal: Goal) -> tuple[int | None, int | None]:
    """The best trial within the limits of bytes and cost, and the smallest of those within the limits of quality."""
    small, good = goal.resources(), goal.quality()
    whole = []
    for trial in trials:
        if trial.measures is not None and {*goal.limits, goal.objective} <= set(trial.measures.quantities()):
            whole.append((trial.number, trial.measures))
    within = [(good.rank(m), number) for number, m in whole if small.is_met(m)]
    enough = [(small.rank(m), number) for number, m in whole if good.is_met(m)]
    return (min(within)[1] if within else None), (min(enough)[1] if enough else None)


def explain_unmet(result: SearchResult) -> str:
    """One sentence: which budgets no plan meets together, and the nearest plans on each side."""
    b = result.budgets
    wanted = [
        text
        for value, text in (
            (b.min_psnr_db, f"min_psnr_db = {b.min_psnr_db}"),
            (b.min_ssim, f"min_ssim = {b.min_ssim}"),
            (b.min_perceptual, f"min_perceptual = {b.min_perceptual}"),
            (b.min_top1, f"min_top1 = {b.min_top1}"),
            (b.max_bytes, f"max_bytes = {b.max_bytes!r}"),
            (b.max_cost, f"max_cost = {b.max_cost}"),
            (
                result.coverage,
                f"min_coverage = {_floor(result.coverage or 0)}{'' if b.min_coverage else ' (what stock recipes have)'}",
            ),
        )
        if value is not None
    ]
    sides = [
        f"{what} trial {number} ({result.measures(number).describe()})" if number else f"no plan is {lack}"
        for what, lack, number in (
            ("small enough is", "small enough", result.nearest_small),
            ("good enough is", "good enough", result.nearest_good),
        )
    ]
    return (
        f"no plan of {len(result.trials)} trials meets {' and '.join(wanted)} for variant {result.variant!r}: "
        f"{'; '.join(sides)}; {_cure(result)} in [variant.search] of builder.toml."
    )


def _cure(result: SearchResult) -> str:
    """Where coverage alone stands in the way, the value that takes the plan."""
    number = result.nearest_small
    if number is None or number != result.nearest_good or not result.coverage:
        return "move one of these budgets"
    share = result.measures(number).delegated
    if share is None or share >= result.coverage:
        return "move one of these budgets"
    return f"move one of these budgets, or accept trial {number} by min_coverage = {_floor(share)}"


def _floor(share: float) -> float:
    """To three places, downwards: what is written is met by what was measured."""
    return math.floor(share * 1000) / 1000
