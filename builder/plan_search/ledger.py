"""What a search has measured, and whose cost is worth counting: counting is the slow part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from builder.plan_search.estimate import Estimate, find_cost_kind, guess_cost
from builder.plan_search.goal import QUALITIES, Goal, Measures, Quantity
from builder.plan_search.space import Choice, Schemes, Space
from builder.plan_search.trials import Trial
from builder.precision.layers import LayerTable

# A cost is counted where this part of the estimate would be good enough.
DOUBT = 0.9
# Noise within this ratio (0.04 dB) is the same quality.
EQUAL = 1.01
# What emulating a multiply-accumulate takes, relative to one of floats; seen with QEMU 7.2 on x86-64.
EMULATED = {"float": 1.0, "int8": 0.08, "dynamic": 0.08, "int16": 0.5}
# Of floats, or what takes as long, for one search: a quarter of an hour of one core, half of which is fp32 of anime_style.
COUNTED_MACS = 5e10


class Count(Protocol):
    """The cost of plans that were measured, or why it could not be counted."""

    def __call__(self, plans: Sequence[Choice]) -> list[float | str]: ...


@dataclass(kw_only=True)
class Ledger:
    """The trials of a search in order. Without `count` no budget speaks of cost, and every measured trial is judged as it is.

    `most_macs`: of floats, or what takes as long, that may be counted.
    """

    space: Space
    table: LayerTable
    goal: Goal
    count: Count | None
    most_macs: float
    parallel: int
    trials: list[Trial] = field(default_factory=list)

    def best(self) -> Trial | None:
        """The trial that ranks first, whether it meets the limits or not; ties go to the earlier one."""
        return min(self.list_judged(), key=lambda t: (self.goal.rank(measures_of(t)), t.number), default=None)

    def list_judged(self) -> list[Trial]:
        """Trials of which all is known that the budgets speak of."""
        needed = {*self.goal.limits, self.goal.objective}
        return [t for t in self.trials if t.measures is not None and needed <= set(t.measures.quantities())]

    def collect_known(self) -> dict[Choice, Measures]:
        """What an estimate learns from."""
        return {t.choice: t.measures for t in self.trials if t.measures is not None}

    def has_nothing_better(self) -> bool:
        """Quality is the objective, and a trial within the limits is as good as the best of all."""
        whole = [t.measures for t in self.trials if t.measures is not None]
        if self.goal.objective not in QUALITIES or not whole:
            return False
        top = min(m.quantities()["noise"] for m in whole)
        met = [measures_of(t) for t in self.list_judged() if self.goal.is_met(measures_of(t))]
        return any(m.quantities()["noise"] <= top * EQUAL for m in met)

    def guess_cost(self, choice: Choice) -> float:
        """By layers and schemes alone, before anything was counted."""
        macs = [max(layer.macs, 1) for layer in self.table.layers]
        return sum(guess_cost(s) * m for s, m in zip(choice.schemes, macs, strict=True)) / sum(macs)

    def predict_cost(self, choice: Choice) -> float:
        """By what was counted so far."""
        alike = self._alike(choice)
        if alike is not None:
            return alike
        known = {c: m for c, m in self.collect_known().items() if m.cost is not None}
        if len(known) < 2:
            return self.guess_cost(choice)
        estimate = Estimate(self.space, self.table, {})
        estimate.fit(known)
        return estimate.value("cost", choice)

    def affordable(self, choice: Choice) -> bool:
        """Whether one more count keeps all within `most_macs`. Other settings change no instruction, so that they cost nothing."""
        if self.count is None or self._alike(choice) is not None:
            return True
        floats = ("fp32",) * len(self.space.names)
        counted = {t.schemes for t in self.trials if t.measures and t.measures.cost is not None} | {floats}
        return sum(map(self._estimate_emulated, counted)) + self._estimate_emulated(choice.schemes) <= self.most_macs

    def _estimate_emulated(self, schemes: Schemes) -> float:
        return sum(
            EMULATED[find_cost_kind(s)] * layer.macs for s, layer in zip(schemes, self.table.layers, strict=True)
        )

    def _alike(self, choice: Choice) -> float | None:
        """The cost of a plan that differs in settings alone."""
        same = (t for t in self.trials if (t.schemes, t.between) == (choice.schemes, choice.between) and t.measures)
        return next((t.measures.cost for t in same if t.measures and t.measures.cost is not None), None)

    def count_stock(self) -> None:
        """The cost of stock recipes, so far as it can matter: first of the one that is surely within the limits and best."""
        if self.count is None:
            return
        self._count([t for t in self._list_uncounted() if set(t.schemes) == {"fp32"}])  # the unit, which costs nothing
        free = self._free()
        fitting = [t for t in self._list_uncounted() if free.is_met(measures_of(t))]
        if "cost" in self.goal.limits and self.goal.objective in QUALITIES:
            sure = [t for t in fitting if self.guess_cost(t.choice) <= self.goal.limits["cost"]]
            self._count(sorted(sure, key=self._by_quality)[:1])
        if self.has_nothing_better():
            return
        while waiting := self._telling() or self._contending(self._list_uncounted()):
            self._count(sorted(waiting, key=self._by_quality)[: self.parallel])

    def count_new(self, first: int, *, learn: bool) -> None:
        """The cost of trials from number `first` on that may rank before the best, and of the first of them to `learn`."""
        if self.count is None:
            return
        new = [t for t in self._list_uncounted() if t.number > first and t.origin != "one layer lowered"]
        chosen = [t for t in new if learn and t.number == first + 1 and self.affordable(t.choice)]
        chosen += [t for t in self._contending(new) if t not in chosen]
        self._count(chosen)

    def _list_uncounted(self) -> list[Trial]:
        return [t for t in self.trials if t.measures is not None and t.measures.cost is None]

    def _free(self) -> Goal:
        """The goal without its limit of cost."""
        limits: dict[Quantity, float] = {name: limit for name, limit in self.goal.limits.items() if name != "cost"}
        return Goal(objective=self.goal.objective, limits=limits)

    def _by_quality(self, trial: Trial) -> tuple[float, float, int]:
        quantities = {**measures_of(trial).quantities(), "cost": 0.0}
        return float(self._free().excess(quantities)), quantities["noise"], trial.number

    def _telling(self) -> list[Trial]:
        """One recipe of each kind of integer arithmetic that was not counted yet, where cost keeps better ones out."""
        best = self.best()
        if best is not None and self.goal.objective in QUALITIES and self.goal.is_met(measures_of(best)):
            noise = measures_of(best).quantities()["noise"]
            better = [t for t in self.trials if t.measures is not None and t.measures.quantities()["noise"] < noise]
            if all(self.predict_cost(t.choice) <= self.goal.limits.get("cost", float("inf")) for t in better):
                return []
        counted = {_kind(t.schemes) for t in self.trials if t.measures is not None and t.measures.cost is not None}
        fresh: dict[str, Trial] = {}
        for trial in self._list_uncounted():
            kind = _kind(trial.schemes)
            if trial.origin == "uniform" and trial.between == "float" and kind not in (*counted, "int16", "float"):
                fresh.setdefault(kind, trial)
        return [t for t in fresh.values() if self.affordable(t.choice)]

    def _contending(self, trials: Sequence[Trial]) -> list[Trial]:
        best = self.best()
        contenders = []
        for trial in trials:
            if trial.origin == "one layer lowered" or not self.affordable(trial.choice):
                continue
            likely = measures_of(trial).model_copy(update={"cost": DOUBT * self.predict_cost(trial.choice)})
            if best is None or self.goal.rank(likely) < self.goal.rank(measures_of(best)):
                contenders.append(trial)
        return contenders

    def _count(self, trials: Sequence[Trial]) -> None:
        if self.count is None or not trials:
            return
        for trial, found in zip(trials, self.count([t.choice for t in trials]), strict=True):
            update: Mapping[str, object] = {"measures": None, "failure": found}
            if not isinstance(found, str):
                update = {"measures": measures_of(trial).model_copy(update={"cost": found})}
            self.trials[trial.number - 1] = trial.model_copy(update=update)


def _kind(schemes: Schemes) -> str:
    """The arithmetic of most layers."""
    kinds = [find_cost_kind(scheme) for scheme in schemes]
    return max(sorted(set(kinds)), key=kinds.count)


def measures_of(trial: Trial) -> Measures:
    if trial.measures is None:
        raise ValueError(f"trial {trial.number} failed")
    return trial.measures
