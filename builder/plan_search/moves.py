"""From measured plans to the next ones worth measuring: small changes of the best plans, ordered by the estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from builder.plan_search.estimate import Estimate
from builder.plan_search.goal import LEAST_NOISE, Goal, Measures, Quantity
from builder.plan_search.space import Choice, Schemes, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many of the best plans are changed.
BASES = 3
# Of one descent on the estimate.
STEPS = 200
# Changes of one base that are looked at closely.
KEPT = 50


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A plan that was not measured, with its place in the order: what exceeds the limits, then the objective."""

    rank: tuple[float, float, float]
    choice: Choice


@dataclass(frozen=True, kw_only=True)
class Moves:
    """The plans of `space` near others, as `estimate` orders them for `goal`; `allowed` says whether a backend has the schemes."""

    space: Space
    goal: Goal
    estimate: Estimate
    allowed: Callable[[Schemes], bool]

    def propose(self, measured: Mapping[Choice, Measures], tried: set[Choice], count: int) -> list[Choice]:
        """The `count` plans that the estimate puts first among all that lie one or two changes, or a descent, from the best.

        They keep the settings of the plan that they come from.
        """
        best = sorted(measured, key=lambda c: (self.goal.rank(measured[c]), c.order()))[:BASES]
        candidates: dict[Choice, Candidate] = {}
        for number, base in enumerate(best):
            start = measured[base].quantities()
            for candidate in self.neighbours(base, start, keep=KEPT + len(tried)):
                if candidate.choice not in tried:
                    known = candidates.get(candidate.choice)
                    candidates[candidate.choice] = min(candidate, known, key=lambda c: c.rank) if known else candidate
            if number == 0 and (last := self.descend(base, start)) not in tried:
                candidates.setdefault(last, _candidate(self.goal, self._after(base, last, start), last))
        ordered = sorted(candidates.values(), key=lambda c: (c.rank, c.choice.order()))
        return list(islice((c.choice for c in ordered if self.allowed(c.choice.schemes)), count))

    def neighbours(self, base: Choice, start: Mapping[Quantity, float], keep: int) -> list[Candidate]:
        """The first `keep` plans with one layer, two layers, or a run of layers changed."""
        estimate = self.estimate
        singles = _singles(self.space, base.schemes)
        runs = _runs(self.space, base.schemes)
        names = [name for name in start if name in estimate.coefficients]
        origin = estimate.features(base)
        rows = np.array([estimate.features(base.with_schemes(plan)) - origin for plan in (*singles, *runs)])
        if not len(rows):
            return []
        changes = {name: rows @ estimate.coefficients[name] for name in names}
        first, second = np.triu_indices(len(singles), k=1)
        layers = np.array([_find_changed(base.schemes, plan) for plan in singles])
        apart = layers[first] != layers[second]
        first, second = first[apart], second[apart]
        values = {name: start[name] + np.concatenate([c, c[first] + c[second]]) for name, c in changes.items()}
        order = _order(self.goal, values)[:keep]
        candidates = []
        for index in order:
            if index < len(rows):
                plan = (*singles, *runs)[index]
            else:
                pair = index - len(rows)
                plan = _join(base.schemes, singles[first[pair]], singles[second[pair]])
            quantities = {name: float(v[index]) for name, v in values.items()}
            candidates.append(_candidate(self.goal, quantities, base.with_schemes(plan)))
        return candidates

    def descend(self, base: Choice, start: Mapping[Quantity, float]) -> Choice:
        """Where the best change, made again and again, leads on the estimate."""
        here, values = base, dict(start)
        rank = _candidate(self.goal, values, base).rank
        for _ in range(STEPS):
            following = self.neighbours(here, values, keep=1)
            if not following or following[0].rank >= rank:
                break
            values = self._after(here, following[0].choice, values)
            here, rank = following[0].choice, following[0].rank
        return here

    def _after(self, base: Choice, plan: Choice, start: Mapping[Quantity, float]) -> dict[Quantity, float]:
        change, fitted = self.estimate.change, self.estimate.coefficients
        return {name: start[name] + change(name, base, plan) for name in start if name in fitted}


def _order(goal: Goal, values: Mapping[Quantity, NDArray[np.float64]]) -> NDArray[np.int64]:
    noise = np.maximum(values["noise"], LEAST_NOISE)
    held: dict[Quantity, NDArray[np.float64]] = {**values, "noise": noise}
    order: NDArray[np.int64] = np.lexsort((noise, held[goal.objective], goal.excess(held)))
    return order


def _candidate(goal: Goal, values: Mapping[Quantity, float], choice: Choice) -> Candidate:
    held = {**values, "noise": max(values["noise"], LEAST_NOISE)}
    return Candidate(rank=(float(goal.excess(held)), held[goal.objective], held["noise"]), choice=choice)


def _singles(space: Space, base: Schemes) -> list[Schemes]:
    return [
        (*base[:layer], scheme, *base[layer + 1 :])
        for layer, options in enumerate(space.options)
        for scheme in options
        if scheme != base[layer]
    ]


def _runs(space: Space, base: Schemes) -> list[Schemes]:
    """Neighbouring layers together: two schemes side by side cost a conversion between them."""
    plans = []
    for scheme in space.schemes:
        for start in range(len(base)):
            for end in range(start + 2, len(base) + 1):
                if all(scheme in options for options in space.options[start:end]):
                    plans.append((*base[:start], *[scheme] * (end - start), *base[end:]))
    return [plan for plan in dict.fromkeys(plans) if plan != base]


def _find_changed(base: Schemes, plan: Sequence[str]) -> int:
    return next(number for number, (a, b) in enumerate(zip(base, plan, strict=True)) if a != b)


def _join(base: Schemes, one: Schemes, other: Schemes) -> Schemes:
    return tuple(b if b != a else c for a, b, c in zip(base, one, other, strict=True))
