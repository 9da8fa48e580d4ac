"""The search itself: stock recipes, settings, each layer's damage, then the changes that promise most, all measured.

Nothing is random: equal inputs give equal trials and the same plan. An estimate decides the order of trials, and which of
them are worth counting the cost of; it never decides what is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from builder.precision.layers import LayerTable
from builder.precision.ranges import CalibrationSettings
from builder.search.estimate import Estimate, guessed_cost
from builder.search.goal import QUALITIES, Goal, Measures
from builder.search.moves import propose
from builder.search.space import Choice, Schemes, Space
from builder.search.trials import PARALLEL, Origin, Trial

PATIENCE = 8  # pairs of trials without a clearly better plan, after which the search ends
CLEARLY = 0.02  # smaller gains (0.1 dB) are kept but do not prolong the search
DAMAGE_PART = 0.3  # of the trials at most are spent on the layers' damage
DOUBT = 0.9  # a cost is counted where this part of the estimate would be good enough


class Measure(Protocol):
    """Measures plans without their cost, or says why one failed."""

    def __call__(self, plans: Sequence[Choice]) -> list[Measures | str]: ...


class Count(Protocol):
    """The cost of plans that were measured, or why it could not be counted."""

    def __call__(self, plans: Sequence[Choice]) -> list[float | str]: ...


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Neighbouring layers (one where there are few) lowered alone from `high` to `low`: noise power added, bytes saved."""

    layers: tuple[str, ...]
    low: str
    psnr_db: float
    noise: float
    bytes_saved: int

    @property
    def noise_per_byte(self) -> float:
        return self.noise / max(self.bytes_saved, 1)


@dataclass(kw_only=True)
class Search:
    """`run` fills `trials` and `damages`. `told` hears every batch: trials so far and the best one.

    `allowed` says whether the schemes of a plan can stand side by side; others are not tried. `count` is asked about
    plans that could become the best one; `tune`: whether calibration settings are tried, and 8 bits between the layers.
    """

    space: Space
    table: LayerTable
    goal: Goal
    measure: Measure
    max_trials: int
    told: Callable[[int, Trial | None], None]
    allowed: Callable[[Schemes], bool] = lambda plan: True
    count: Count | None = None
    tune: bool = False
    between: bool = False
    parallel: int = PARALLEL
    trials: list[Trial] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    def run(self) -> None:
        stock = [(Choice(schemes=p), f"every layer {n}") for n, p in self.space.uniforms().items() if self.allowed(p)]
        if self.between and "static_wi8_ai8" in self.space.schemes:
            everything = Choice(schemes=self.space.uniform("static_wi8_ai8"), between="static_wi8_ai8")
            stock.append((everything, "every layer static_wi8_ai8 and all between them"))
        for start in range(0, len(stock), self.parallel):
            self._try(stock[start : start + self.parallel], "uniform", counted=False)
        if not any(t.measures is not None for t in self.trials):
            return
        shares = None if self._cannot_be_better() else self._damage_shares()
        self._count_contenders(0, stock=True, learn=False)
        self.told(len(self.trials), self.best())
        if shares is None or not self._measured() or self._cannot_be_better():
            return
        self._settle()
        estimate = self._estimate(shares)
        idle = 0
        while idle < PATIENCE and len(self.trials) < self.max_trials:
            estimate.fit(self._known())
            measured = self._measured()
            before = self._best_rank()
            room = min(self.parallel, self.max_trials - len(self.trials))
            tried = {t.choice for t in self.trials if t.measures is None or t.choice in measured or self._out(t)}
            plans = propose(self.space, self.goal, estimate, measured, tried, self.allowed, room)
            if not plans:
                break
            self._try([(plan, self._difference(plan)) for plan in plans], "search", learn=idle > 0)
            idle = 0 if _clearly(self._best_rank(), before) else idle + 1
        self._settle()

    def _settle(self) -> None:
        """Other settings for the best plan, each kept where it is better: ranges, corrected biases, equalized channels."""
        if not self.tune:
            return
        ways: tuple[tuple[str, dict[str, object]], ...] = (
            ("ranges", {"ranges": "percentile"}),
            ("ranges", {"ranges": "mse"}),
            ("biases", {"correct_biases": True}),
            ("channels", {"equalize": True}),
        )
        done = {t.choice for t in self.trials}
        for pair in (ways[:2], ways[2:]):
            best = self._nearest()
            if best is None or len(self.trials) >= self.max_trials:
                return
            plans = []
            for what, change in pair:
                if not (best.choice.has_static if what == "ranges" else best.choice.has_integers):
                    continue
                settings = CalibrationSettings.model_validate({**best.choice.settings.model_dump(), **change})
                choice = replace(best.choice, settings=settings)
                if choice not in done:
                    plans.append((choice, f"trial {best.number} with {settings}"))
            self._try(plans[: self.max_trials - len(self.trials)], "settings")

    def _nearest(self) -> Trial | None:
        """The best trial; where none has integers to set ranges for, the best of those that have."""
        best = self.best()
        if best is None or best.choice.has_integers:
            return best
        whole = [
            t for t in self.trials if t.measures is not None and self._judged(t.measures) and t.choice.has_integers
        ]
        return min(whole, key=lambda t: (self.goal.rank(_measures(t)), t.number), default=best)

    def _estimate(self, shares: list[float]) -> Estimate:
        return Estimate(self.space, self.table, shares)

    def _known(self) -> dict[Choice, Measures]:
        """What the estimate learns from; fp32 costs 1 whether it was counted or not."""
        known = {t.choice: t.measures for t in self.trials if t.measures is not None}
        floats = Choice(schemes=("fp32",) * len(self.space.names))
        if self.count is not None and floats in known:
            known[floats] = known[floats].model_copy(update={"cost": 1.0})
        return known

    def _out(self, trial: Trial) -> bool:
        """Measured, and by its estimated cost not worth counting."""
        return trial.measures is not None and self.count is not None and trial.measures.cost is None

    def best(self) -> Trial | None:
        """The trial that ranks first, whether it meets the limits or not; ties go to the earlier one."""
        whole = [t for t in self.trials if t.measures is not None and self._judged(t.measures)]
        return min(whole, key=lambda t: (self.goal.rank(_measures(t)), t.number), default=None)

    def _judged(self, measures: Measures) -> bool:
        return {*self.goal.limits, self.goal.objective} <= set(measures.quantities())

    def _measured(self) -> dict[Choice, Measures]:
        return {t.choice: t.measures for t in self.trials if t.measures is not None and self._judged(t.measures)}

    def _best_rank(self) -> tuple[float, ...]:
        best = self.best()
        return self.goal.rank(_measures(best)) if best else (float("inf"),)

    def _cannot_be_better(self) -> bool:
        """The best of all qualities already meets the limits, and quality is the objective."""
        whole = [t.measures for t in self.trials if t.measures is not None]
        top = min(whole, key=lambda m: m.quantities()["noise"])
        return self.goal.objective in QUALITIES and self._judged(top) and self.goal.met(top)

    def _difference(self, plan: Choice) -> str:
        """What a proposed plan changes of the best one so far."""
        best = self.best()
        if best is None:
            return ""
        changed = [
            f"{name} {scheme}"
            for name, scheme, old in zip(self.space.names, plan.schemes, best.schemes, strict=True)
            if scheme != old
        ]
        changed += [str(plan.settings)] if plan.settings != best.choice.settings else []
        return f"trial {best.number} with {', '.join(changed)}"

    def _try(
        self, plans: Sequence[tuple[Choice, str]], origin: Origin, *, learn: bool = False, counted: bool = True
    ) -> list[Trial]:
        """`learn`: count the cost of one of them in any case, where the estimate of costs leads nowhere better."""
        results = self.measure([choice for choice, _ in plans]) if plans else []
        first = len(self.trials)
        for (choice, what), found in zip(plans, results, strict=True):
            self.trials.append(
                Trial(
                    number=len(self.trials) + 1,
                    origin=origin,
                    what=what,
                    schemes=choice.schemes,
                    settings=choice.settings,
                    between=choice.between,
                    measures=found if isinstance(found, Measures) else None,
                    failure=found if isinstance(found, str) else None,
                )
            )
        if counted:
            self._count_contenders(first, stock=False, learn=learn)
        self.told(len(self.trials), self.best())
        return self.trials[first:]

    def _count_contenders(self, first: int, *, stock: bool, learn: bool) -> None:
        """Count the cost of the new trials that may rank before the best one, and of stock recipes within the other limits."""
        if self.count is None:
            return
        chosen = [
            number
            for number in range(first, len(self.trials))
            if self.trials[number].measures is not None
            and self.trials[number].origin != "one layer lowered"
            and ((learn and number == first) or self._contends(self.trials[number], stock=stock))
        ]
        counted = self.count([self.trials[number].choice for number in chosen]) if chosen else []
        for number, found in zip(chosen, counted, strict=True):
            trial = self.trials[number]
            if isinstance(found, str):
                self.trials[number] = trial.model_copy(update={"measures": None, "failure": found})
            else:
                measures = _measures(trial).model_copy(update={"cost": found})
                self.trials[number] = trial.model_copy(update={"measures": measures})

    def _contends(self, trial: Trial, *, stock: bool) -> bool:
        measures = _measures(trial)
        free = Goal(objective=self.goal.objective, limits={k: v for k, v in self.goal.limits.items() if k != "cost"})
        if stock and set(trial.schemes) == {"fp32"}:
            return True
        if (
            stock
            and self._rough_cost(trial.choice) < 2
            and float(free.excess({**measures.quantities(), "cost": 0.0})) == 0
        ):
            return True
        best = self.best()
        if best is None:
            return True
        likely = measures.model_copy(update={"cost": DOUBT * self._likely_cost(trial.choice)})
        return self.goal.rank(likely) < self.goal.rank(_measures(best))

    def _likely_cost(self, choice: Choice) -> float:
        estimate = self._estimate([1 / len(self.space.names)] * len(self.space.names))
        known = {c: m for c, m in self._known().items() if m.cost is not None}
        if len(known) < 2:
            return self._rough_cost(choice)
        estimate.fit(known)
        return estimate.value("cost", choice)

    def _rough_cost(self, choice: Choice) -> float:
        macs = [max(layer.macs, 1) for layer in self.table.layers]
        return sum(guessed_cost(s) * m for s, m in zip(choice.schemes, macs, strict=True)) / sum(macs)

    def _damage_shares(self) -> list[float]:
        """Lower each layer alone, from the best uniform plan to the smallest; where there are too many, neighbours together."""
        uniforms = [t for t in self.trials if t.measures is not None and t.between == "float"]
        high = min(uniforms, key=lambda t: _measures(t).quantities()["noise"])
        costly = self.count is not None or "cost" in (*self.goal.limits, self.goal.objective)
        low = min(
            uniforms,
            key=lambda t: (self._size(_measures(t)) + (self._rough_cost(t.choice) if costly else 0), t.number),
        )
        count = len(self.space.names)
        groups = min(count, max(2, int(self.max_trials * DAMAGE_PART)))
        edges = [round(count * number / groups) for number in range(groups + 1)]
        parts = [range(a, b) for a, b in pairwise(edges)]
        plans = [
            high.choice.with_schemes(tuple(low.schemes[i] if i in part else high.schemes[i] for i in range(count)))
            for part in parts
        ]
        if low.choice.settings != high.choice.settings:  # what was found to suit the lower one
            plans = [replace(plan, settings=low.choice.settings) for plan in plans]
        shares = [1e-9] * count
        top = _measures(high)
        new = [n for n, p in enumerate(plans) if p.schemes != high.schemes and self.allowed(p.schemes)]
        for start in range(0, len(new), self.parallel):
            chosen = new[start : start + self.parallel]
            named = [(plans[n], ", ".join(self.space.names[i] for i in parts[n])) for n in chosen]
            for number, trial in zip(chosen, self._try(named, "one layer lowered", counted=False), strict=True):
                if trial.measures is None:
                    continue
                noise = max(trial.measures.quantities()["noise"] - top.quantities()["noise"], 0.0)
                for layer in parts[number]:
                    shares[layer] += noise / len(parts[number])
                self.damages.append(
                    Damage(
                        layers=tuple(self.space.names[i] for i in parts[number]),
                        low=" and ".join(dict.fromkeys(low.schemes[i] for i in parts[number])),
                        psnr_db=trial.measures.psnr_db,
                        noise=noise,
                        bytes_saved=top.bytes - trial.measures.bytes,
                    )
                )
        self.damages.sort(key=lambda d: -d.noise_per_byte)
        total = sum(shares)
        return [share / total for share in shares]

    def _size(self, measures: Measures) -> float:
        """Bytes relative to the largest plan's."""
        return measures.bytes / max(t.measures.bytes for t in self.trials if t.measures is not None)


def _clearly(rank: tuple[float, ...], before: tuple[float, ...]) -> bool:
    """Whether less exceeds the limits, or as little does and the objective is clearly smaller."""
    return rank[0] < before[0] or (rank[0] == before[0] and rank[1] < before[1] * (1 - CLEARLY))


def _measures(trial: Trial) -> Measures:
    if trial.measures is None:
        raise ValueError(f"trial {trial.number} failed")
    return trial.measures
