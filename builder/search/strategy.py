"""The search itself: stock recipes, each layer's damage, then the changes that promise most, all measured.

Nothing is random: equal inputs give equal trials and the same plan. An estimate decides the order of trials and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from builder.precision.layers import LayerTable
from builder.search.estimate import Estimate
from builder.search.goal import QUALITIES, Goal, Measures
from builder.search.moves import propose
from builder.search.space import Schemes, Space
from builder.search.trials import PARALLEL, Origin, Trial

PATIENCE = 8  # pairs of trials without a clearly better plan, after which the search ends
CLEARLY = 0.02  # smaller gains (0.1 dB) are kept but do not prolong the search
DAMAGE_PART = 0.4  # of the trials at most are spent on the layers' damage


class Measure(Protocol):
    """Measures plans, or says why one failed."""

    def __call__(self, plans: Sequence[Schemes], *, with_cost: bool = True) -> list[Measures | str]: ...


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

    `allowed` says whether the schemes of a plan can stand side by side; others are not tried.
    """

    space: Space
    table: LayerTable
    goal: Goal
    measure: Measure
    max_trials: int
    told: Callable[[int, Trial | None], None]
    allowed: Callable[[Schemes], bool] = lambda plan: True
    trials: list[Trial] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    def run(self) -> None:
        uniforms = [(plan, f"every layer {name}") for name, plan in self.space.uniforms().items() if self.allowed(plan)]
        for start in range(0, len(uniforms), PARALLEL):
            self._try(uniforms[start : start + PARALLEL], "uniform")
        if not self._measured() or self._cannot_be_better():
            return
        estimate = Estimate(self.space, self.table, self._damage_shares())
        idle = 0
        while idle < PATIENCE and len(self.trials) < self.max_trials:
            estimate.fit({t.schemes: t.measures for t in self.trials if t.measures is not None})
            measured = self._measured()
            before = self._best_rank()
            room = min(PARALLEL, self.max_trials - len(self.trials))
            tried = {t.schemes for t in self.trials if t.measures is None or t.schemes in measured}
            plans = propose(self.space, self.goal, estimate, measured, tried, self.allowed, room)
            if not plans:
                return
            self._try([(plan, self._difference(plan)) for plan in plans], "search")
            idle = 0 if _clearly(self._best_rank(), before) else idle + 1

    def best(self) -> Trial | None:
        """The trial that ranks first, whether it meets the limits or not; ties go to the earlier one."""
        whole = [t for t in self.trials if t.measures is not None and self._judged(t.measures)]
        return min(whole, key=lambda t: (self.goal.rank(_measures(t)), t.number), default=None)

    def _judged(self, measures: Measures) -> bool:
        return {*self.goal.limits, self.goal.objective} <= set(measures.quantities())

    def _measured(self) -> dict[Schemes, Measures]:
        return {t.schemes: t.measures for t in self.trials if t.measures is not None and self._judged(t.measures)}

    def _best_rank(self) -> tuple[float, ...]:
        best = self.best()
        return self.goal.rank(_measures(best)) if best else (float("inf"),)

    def _cannot_be_better(self) -> bool:
        """The best of all qualities already meets the limits, and quality is the objective."""
        whole = [t.measures for t in self.trials if t.measures is not None]
        top = min(whole, key=lambda m: m.quantities()["noise"])
        return self.goal.objective in QUALITIES and self.goal.met(top)

    def _difference(self, plan: Schemes) -> str:
        """What a proposed plan changes of the best one so far."""
        best = self.best()
        if best is None:
            return ""
        changed = [
            f"{name} {scheme}"
            for name, scheme, old in zip(self.space.names, plan, best.schemes, strict=True)
            if scheme != old
        ]
        return f"trial {best.number} with {', '.join(changed)}"

    def _try(self, plans: Sequence[tuple[Schemes, str]], origin: Origin, *, with_cost: bool = True) -> list[Trial]:
        made = []
        results = self.measure([schemes for schemes, _ in plans], with_cost=with_cost)
        for (schemes, what), found in zip(plans, results, strict=True):
            made.append(
                Trial(
                    number=len(self.trials) + 1,
                    origin=origin,
                    what=what,
                    schemes=schemes,
                    measures=found if isinstance(found, Measures) else None,
                    failure=found if isinstance(found, str) else None,
                )
            )
            self.trials.append(made[-1])
        self.told(len(self.trials), self.best())
        return made

    def _damage_shares(self) -> list[float]:
        """Lower each layer alone, from the best uniform plan to the smallest; where there are too many, neighbours together."""
        uniforms = [t for t in self.trials if t.measures is not None]
        high = min(uniforms, key=lambda t: _measures(t).quantities()["noise"])
        low = min(uniforms, key=lambda t: (self._size(_measures(t)), t.number))
        count = len(self.space.names)
        groups = min(count, max(2, int(self.max_trials * DAMAGE_PART)))
        edges = [round(count * number / groups) for number in range(groups + 1)]
        parts = [range(a, b) for a, b in pairwise(edges)]
        plans = [tuple(low.schemes[i] if i in part else high.schemes[i] for i in range(count)) for part in parts]
        shares = [1e-9] * count
        top = _measures(high)
        new = [number for number, plan in enumerate(plans) if plan != high.schemes and self.allowed(plan)]
        for start in range(0, len(new), PARALLEL):
            chosen = new[start : start + PARALLEL]
            named = [(plans[n], ", ".join(self.space.names[i] for i in parts[n])) for n in chosen]
            for number, trial in zip(chosen, self._try(named, "one layer lowered", with_cost=False), strict=True):
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
        """Bytes and cost together, relative to the largest uniform plan's."""
        whole = [t.measures for t in self.trials if t.measures is not None]
        size = measures.bytes / max(m.bytes for m in whole)
        return size + (measures.cost if measures.cost is not None else 0.0)


def _clearly(rank: tuple[float, ...], before: tuple[float, ...]) -> bool:
    """Whether less exceeds the limits, or as little does and the objective is clearly smaller."""
    return rank[0] < before[0] or (rank[0] == before[0] and rank[1] < before[1] * (1 - CLEARLY))


def _measures(trial: Trial) -> Measures:
    if trial.measures is None:
        raise ValueError(f"trial {trial.number} failed")
    return trial.measures
