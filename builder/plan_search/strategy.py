"""The search itself: stock recipes, settings, each layer's damage, then the changes that promise most, all measured.

Nothing is random: equal inputs give equal trials and the same plan. Estimates decide the order of trials, and which of
them are worth counting the cost of; they never decide what is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from builder.plan_search.estimate import Estimate
from builder.plan_search.goal import LEAST_NOISE, Goal, Measures
from builder.plan_search.ledger import Count, Ledger, measures_of
from builder.plan_search.moves import Moves
from builder.plan_search.space import Choice, Schemes, Space
from builder.plan_search.trials import PARALLEL, Origin, Trial
from builder.precision.layers import LayerTable
from builder.precision.ranges import CalibrationSettings
from builder.precision.scheme import parse_scheme

# Pairs of trials without a clearly better plan, after which the search ends.
PATIENCE = 8
# Smaller gains (0.1 dB) are kept but do not prolong the search.
CLEARLY = 0.02
# Of the trials at most are spent on the layers' damage.
DAMAGE_PART = 0.3

Shares = Mapping[str, Sequence[float]]
"""By scheme, the part of a whole network's noise that each layer adds."""


class Measure(Protocol):
    """Measures plans without their cost, or says why one failed."""

    def __call__(self, plans: Sequence[Choice]) -> list[Measures | str]: ...


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Neighbouring layers (one where there are few) lowered alone to `low`: noise power added, bytes saved.

    Not `measured`: the noise is the layer's simulated part of what the whole network in `low` measured.
    """

    layers: tuple[str, ...]
    low: str
    psnr_db: float
    noise: float
    bytes_saved: int
    measured: bool = True

    @property
    def noise_per_byte(self) -> float:
        return self.noise / max(self.bytes_saved, 1)


@dataclass(kw_only=True)
class Search:
    """`run` fills `trials` and `damages`. `told` hears every batch: trials so far and the best one.

    `allowed` says whether the schemes of a plan can stand side by side; others are not tried. `count` is asked about
    plans that could become the best one, so long as they take no more than `most_macs` together; `tune`: whether calibration settings are tried, and 8 bits between the layers.
    `simulated` gives each layer's noise by scheme where there is a simulation.
    """

    space: Space
    table: LayerTable
    goal: Goal
    measure: Measure
    max_trials: int
    told: Callable[[int, Trial | None], None]
    allowed: Callable[[Schemes], bool] = lambda plan: True
    count: Count | None = None
    most_macs: float = math.inf
    tune: bool = False
    between: bool = False
    simulated: Callable[[], Shares | None] = lambda: None
    parallel: int = PARALLEL
    damages: list[Damage] = field(default_factory=list)
    _ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self._ledger = Ledger(
            space=self.space,
            table=self.table,
            goal=self.goal,
            count=self.count,
            most_macs=self.most_macs,
            parallel=self.parallel,
        )

    @property
    def trials(self) -> list[Trial]:
        return self._ledger.trials

    def best(self) -> Trial | None:
        """The trial that ranks first, whether it meets the limits or not; ties go to the earlier one."""
        return self._ledger.best()

    def run(self) -> None:
        stock = [(Choice(schemes=p), f"every layer {n}") for n, p in self.space.uniforms().items() if self.allowed(p)]
        if self.between and "static_wi8_ai8" in self.space.schemes:
            everything = Choice(schemes=self.space.uniform("static_wi8_ai8"), between="static_wi8_ai8")
            stock.append((everything, "every layer static_wi8_ai8 and all between them"))
        for start in range(0, len(stock), self.parallel):
            self._try(stock[start : start + self.parallel], "uniform", counted=False)
        if not any(t.measures is not None for t in self.trials):
            return
        self._hold_coverage()
        self._ledger.count_stock()
        self.told(len(self.trials), self.best())
        if self._ledger.has_nothing_better():
            return
        shares = self._shares()
        if not self._ledger.list_judged():
            return
        self._settle()
        self._refine(Estimate(self.space, self.table, shares))
        self._settle()

    def _hold_coverage(self) -> None:
        """A plan whose layers the delegate leaves to slow kernels is small and good, and useless: coverage is a limit."""
        shares = [t.measures.delegated for t in self.trials if t.measures is not None]
        known = [share for share in shares if share is not None]
        if known and len(known) == len(shares):
            self.goal = self._ledger.goal = self.goal.holding(max(known))

    def _refine(self, estimate: Estimate) -> None:
        """The changes that promise most, until nothing clearly better is found for a while."""
        idle = 0
        while idle < PATIENCE and len(self.trials) < self.max_trials:
            estimate.fit(self._ledger.collect_known())
            measured = {t.choice: measures_of(t) for t in self._ledger.list_judged()}
            before = self._find_best_rank()
            room = min(self.parallel, self.max_trials - len(self.trials))
            tried = {t.choice for t in self.trials}
            moves = Moves(space=self.space, goal=self.goal, estimate=estimate, allowed=self.allowed)
            plans = moves.propose(measured, tried, room)
            plans = [plan for plan in plans if self._ledger.affordable(plan)]
            if not plans:
                break
            self._try([(plan, self._difference(plan)) for plan in plans], "search", learn=idle > 0)
            idle = 0 if _clearly(self._find_best_rank(), before) else idle + 1

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
        whole = [t for t in self._ledger.list_judged() if t.choice.has_integers]
        return min(whole, key=lambda t: (self.goal.rank(measures_of(t)), t.number), default=best)

    def _find_best_rank(self) -> tuple[float, ...]:
        best = self.best()
        return self.goal.rank(measures_of(best)) if best else (float("inf"),)

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
            self._ledger.count_new(first, learn=learn)
        self.told(len(self.trials), self.best())
        return self.trials[first:]

    def _shares(self) -> Shares:
        """What orders the trials: the simulation of each layer, or its damage on exported files where there are few."""
        simulated = self.simulated()
        if simulated is None or len(self.space.names) <= self._groups():
            damage = self._measure_damage_shares()
            return divide_simulated(simulated) if simulated is not None else dict.fromkeys(self.space.schemes, damage)
        self._rank_by_simulation(simulated)
        return divide_simulated(simulated)

    def _groups(self) -> int:
        return max(2, int(self.max_trials * DAMAGE_PART))

    def _rank_by_simulation(self, simulated: Shares) -> None:
        """The list of layers by damage, each in the smallest scheme that was measured."""
        whole = [t for t in self.trials if t.measures is not None and t.between == "float"]
        lower = [t for t in whole if any(scheme in simulated for scheme in t.schemes)]
        if not lower:
            return
        high = min(whole, key=lambda t: (measures_of(t).quantities()["noise"], t.number))
        low = min(lower, key=lambda t: (measures_of(t).bytes, t.number))
        noise, top = measures_of(low).quantities()["noise"], measures_of(high).quantities()["noise"]
        # A layer that cannot have a scheme has another in its stock recipe: each counts with its own.
        parts = [simulated[s][n] if s in simulated else 0.0 for n, s in enumerate(low.schemes)]
        total = sum(parts) or 1.0
        for layer, part, mine, best in zip(self.table.layers, parts, low.schemes, high.schemes, strict=True):
            if mine == best:
                continue
            bits = [parse_scheme(name, where="search").weight_bits for name in (best, mine)]
            added = noise * max(part / total, 1e-9)
            self.damages.append(
                Damage(
                    layers=(layer.name,),
                    low=mine,
                    psnr_db=round(-10 * math.log10(max(top + added, LEAST_NOISE)), 2),
                    noise=added,
                    bytes_saved=(bits[0] - bits[1]) * math.prod(layer.weight_shape) // 8,
                    measured=False,
                )
            )
        self.damages.sort(key=lambda d: -d.noise_per_byte)

    def _measure_damage_shares(self) -> list[float]:
        """Lower each layer alone, from the best uniform plan to the smallest; where there are too many, neighbours together."""
        uniforms = [t for t in self.trials if t.measures is not None and t.between == "float"]
        if not uniforms:  # only the recipe with integers between the layers could be made
            return [1 / len(self.space.names)] * len(self.space.names)
        high = min(uniforms, key=lambda t: measures_of(t).quantities()["noise"])
        costly = self.count is not None or "cost" in (*self.goal.limits, self.goal.objective)
        low = min(
            uniforms,
            key=lambda t: (
                self._size(measures_of(t)) + (self._ledger.predict_cost(t.choice) if costly else 0),
                t.number,
            ),
        )
        count = len(self.space.names)
        groups = min(count, self._groups())
        edges = [round(count * number / groups) for number in range(groups + 1)]
        parts = [range(a, b) for a, b in pairwise(edges)]
        plans = [
            high.choice.with_schemes(tuple(low.schemes[i] if i in part else high.schemes[i] for i in range(count)))
            for part in parts
        ]
        if low.choice.settings != high.choice.settings:  # what was found to suit the lower one
            plans = [replace(plan, settings=low.choice.settings) for plan in plans]
        shares = [1e-9] * count
        top = measures_of(high)
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


def divide_simulated(simulated: Shares) -> dict[str, list[float]]:
    """Parts that sum to 1."""
    totals = {scheme: sum(noise) or 1.0 for scheme, noise in simulated.items()}
    return {scheme: [max(part / totals[scheme], 1e-9) for part in noise] for scheme, noise in simulated.items()}
