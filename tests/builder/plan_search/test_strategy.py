"""The strategy against exhaustive enumeration, on invented networks whose layers disturb one another."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.plan_search.goal import Goal, Measures, Quantity
from builder.plan_search.space import Choice, Schemes, Space
from builder.plan_search.strategy import Search, Shares
from builder.precision.layers import Layer, LayerTable

SCHEMES = ("fp32", "weight_only_wi8_afp32", "static_wi8_ai8")
LAYERS = 6
TRIALS = 40
ORIGINS = {"uniform", "one layer lowered", "search"}


class Invented:
    """Every plan of 6 layers x 3 schemes: noise with interactions between neighbours, bytes with a price for conversions."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        params = random.integers(100, 4000, LAYERS)
        self.table = LayerTable(
            layers=tuple(
                Layer(name=f"layer{n}", op="conv2d", weight=f"layer{n}.weight", bias=None, weight_shape=(int(p), 1, 1, 1),
                      params=int(p), macs=int(p) * 100, uses=1)
                for n, p in enumerate(params)
            )
        )  # fmt: skip
        noise = (
            10 ** random.uniform(-6, -3, (LAYERS, 1))
            * np.array([[1e-9, 0.05, 1.0]])
            * random.uniform(0.3, 3, (LAYERS, 3))
        )
        together = random.uniform(0.8, 1.4, LAYERS - 1)
        self.space = Space(
            names=tuple(self.table.names()), schemes=SCHEMES, options=tuple(SCHEMES for _ in range(LAYERS))
        )
        self.all: dict[Schemes, Measures] = {}
        for plan in itertools.product(SCHEMES, repeat=LAYERS):
            chosen = [SCHEMES.index(scheme) for scheme in plan]
            power = sum(noise[n, c] for n, c in enumerate(chosen))
            size = 2000 + sum(int(p) * (4, 1, 1)[c] for p, c in zip(params, chosen, strict=True))
            for n, (a, b) in enumerate(itertools.pairwise(chosen)):
                if a == b == 2:
                    power *= together[n]
                if (a == 2) != (b == 2):
                    size += 120
            cost = sum((1.0, 1.05, 0.45)[c] for c in chosen) / LAYERS
            self.all[plan] = Measures(
                psnr_db=round(-10 * float(np.log10(power)), 2), psnr_db_mean=0.0, ssim=None, ssim_mean=None, top1=None, bytes=size, cost=cost
            )  # fmt: skip
        self.asked: list[Schemes] = []
        self.counted: list[Schemes] = []

    def measure(self, plans: Sequence[Choice]) -> list[Measures | str]:
        self.asked += [plan.schemes for plan in plans]
        return [self.all[plan.schemes].model_copy(update={"cost": None}) for plan in plans]

    def count(self, plans: Sequence[Choice]) -> list[float | str]:
        self.counted += [plan.schemes for plan in plans]
        return [float(self.all[plan.schemes].cost or 0) for plan in plans]

    def search(self, goal: Goal, most_macs: float = math.inf, simulated: Shares | None = None) -> Search:
        made = Search(
            space=self.space, table=self.table, goal=goal, measure=self.measure, max_trials=TRIALS, most_macs=most_macs,
            told=lambda count, best: None, count=self.count if "cost" in goal.limits else None, simulated=lambda: simulated,
        )  # fmt: skip
        made.run()
        return made

    def optimum(self, goal: Goal) -> Measures:
        return min(self.all.values(), key=goal.rank)


@pytest.mark.parametrize("seed", range(20))
def test_the_plan_is_within_half_a_db_of_the_best_of_all_plans(seed: int) -> None:
    """Best quality under bytes, and under bytes and cost, with 40 trials of 729 plans."""
    net = Invented(seed)
    largest = net.all[("fp32",) * LAYERS].bytes
    for limits in ({"bytes": 0.5 * largest}, {"bytes": 0.7 * largest, "cost": 0.8}):
        goal = Goal(objective="noise", limits=limits)  # type: ignore[arg-type]
        search = net.search(goal)
        best = search.best()
        assert best is not None
        assert best.measures is not None
        assert len(search.trials) <= TRIALS
        assert goal.is_met(best.measures)
        assert best.measures.psnr_db >= net.optimum(goal).psnr_db - 0.5
        assert {trial.origin for trial in search.trials} == ORIGINS
        if "cost" in limits:  # counting is the slow part: only plans that may become the best are counted
            assert len(net.counted) < len(net.asked) / 2


@pytest.mark.parametrize("seed", range(20))
def test_the_smallest_plan_that_is_good_enough(seed: int) -> None:
    """The fewest bytes at a given quality, within two percent of the fewest possible."""
    net = Invented(seed)
    goal = Goal(objective="bytes", limits={"noise": 10**-4.0})
    best = net.search(goal).best()
    assert best is not None
    assert best.measures is not None
    assert best.measures.psnr_db >= 40
    assert best.measures.bytes <= net.optimum(goal).bytes * 1.02


def test_the_result_is_never_worse_than_a_stock_recipe_at_its_own_budgets() -> None:
    """Bytes and cost of each uniform plan as the budget give at least its quality."""
    net = Invented(3)
    for scheme in SCHEMES:
        stock = net.all[(scheme,) * LAYERS]
        assert stock.cost is not None
        best = net.search(Goal(objective="noise", limits={"bytes": float(stock.bytes), "cost": stock.cost})).best()
        assert best is not None
        assert best.measures is not None
        assert best.measures.psnr_db >= stock.psnr_db


def test_equal_inputs_give_equal_trials() -> None:
    """Nothing is random: two searches ask for the same plans in the same order."""
    goal = Goal(objective="noise", limits={"bytes": 12_000.0})
    first, second = Invented(5), Invented(5)
    first.search(goal)
    second.search(goal)
    assert first.asked == second.asked


def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on() -> None:
    """A plan that cannot be exported costs one trial, is never chosen, and is not asked for again."""
    net = Invented(1)
    goal = Goal(objective="noise", limits={"bytes": 12_000.0})
    whole = net.search(goal).best()
    assert whole is not None
    again = Invented(1)

    def measure(plans: Sequence[Choice]) -> list[Measures | str]:
        found = again.measure(plans)
        return ["the converter crashed" if p.schemes == whole.schemes else m for p, m in zip(plans, found, strict=True)]

    search = Search(
        space=again.space, table=again.table, goal=goal, measure=measure, max_trials=TRIALS, told=lambda count, best: None
    )  # fmt: skip
    search.run()
    best = search.best()
    assert best is not None
    assert best.schemes != whole.schemes
    assert [t.failure for t in search.trials if t.schemes == whole.schemes] == ["the converter crashed"]
    assert again.asked.count(whole.schemes) == 1


def test_plans_that_a_backend_cannot_have_are_never_tried() -> None:
    """Two layers that must share a scheme, as those of one fused operation, are only changed together."""
    net = Invented(7)
    search = Search(
        space=net.space, table=net.table, goal=Goal(objective="noise", limits={"bytes": 12_000.0}), measure=net.measure,
        max_trials=TRIALS, told=lambda count, best: None, allowed=lambda plan: plan[2] == plan[3],
    )  # fmt: skip
    search.run()
    assert all(plan[2] == plan[3] for plan in net.asked)
    best = search.best()
    assert best is not None
    assert best.measures is not None
    whole = [m for plan, m in net.all.items() if plan[2] == plan[3]]
    assert best.measures.psnr_db >= min(whole, key=search.goal.rank).psnr_db - 0.5


def test_no_more_is_counted_than_may_be() -> None:
    """Emulating floats takes the longest: after the unit and as much again, only plans of few float layers are counted."""
    net = Invented(4)
    largest = net.all[("fp32",) * LAYERS].bytes
    goal = Goal(objective="noise", limits={"bytes": 0.7 * largest, "cost": 0.8})
    macs = [layer.macs for layer in net.table.layers]
    search = net.search(goal, most_macs=2.2 * sum(macs))

    def emulated(schemes: Schemes) -> float:
        return sum(m * (0.08 if s == "static_wi8_ai8" else 1.0) for m, s in zip(macs, schemes, strict=True))

    assert sum(map(emulated, {("fp32",) * LAYERS, *net.counted})) <= 2.2 * sum(macs)
    best = search.best()
    assert best is not None
    assert best.measures is not None
    assert goal.is_met(best.measures)
    assert best.measures.psnr_db > net.all[("static_wi8_ai8",) * LAYERS].psnr_db


def test_a_stock_recipe_as_good_as_fp32_within_the_budgets_ends_the_search() -> None:
    """Nothing can be better, so that nothing else is exported, and of costs only what decides is counted."""
    net = Invented(6)
    floats, half = ("fp32",) * LAYERS, ("weight_only_wi8_afp32",) * LAYERS
    net.all[half] = net.all[half].model_copy(update={"psnr_db": net.all[floats].psnr_db, "cost": 1.0})
    search = net.search(Goal(objective="noise", limits={"bytes": float(net.all[half].bytes), "cost": 1.0}))
    best = search.best()
    assert best is not None
    assert best.schemes == half
    assert len(search.trials) == 3
    assert net.counted == [floats, half]


def test_simulated_layers_are_listed_by_damage_where_there_are_too_many_to_measure() -> None:
    """With ten trials no layer is lowered alone: each one's part of the noise is the simulation's, the loudest per byte first."""
    net = Invented(2)
    found = [float(layer.params) ** 2 for layer in net.table.layers]
    simulated = dict.fromkeys(SCHEMES[1:], found)
    goal = Goal(objective="noise", limits={"bytes": 12_000.0})
    search = Search(
        space=net.space, table=net.table, goal=goal, measure=net.measure, max_trials=10,
        told=lambda count, best: None, simulated=lambda: simulated,
    )  # fmt: skip
    search.run()
    assert {trial.origin for trial in search.trials} == {"uniform", "search"}
    assert not any(damage.measured for damage in search.damages)
    by_size = sorted(net.table.layers, key=lambda layer: -layer.params)
    assert [damage.layers for damage in search.damages] == [(layer.name,) for layer in by_size]


ALL = (
    "fp32", "fp16", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16", "weight_only_wi4_afp32",
    "palettized_w4",
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[Space, LayerTable]:
    """Any number of layers, each with any of some schemes: often no scheme fits all of them."""
    schemes = draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True))
    count = draw(st.integers(1, 5))
    options = [draw(st.lists(st.sampled_from(schemes), min_size=1, unique=True)) for _ in range(count)]
    ordered = tuple(tuple(s for s in schemes if s in mine) for mine in options)
    table = LayerTable(
        layers=tuple(
            Layer(name=f"layer{n}", op="conv2d", weight=f"layer{n}.weight", bias=None, weight_shape=(params, 1, 1, 1),
                  params=params, macs=macs, uses=1)
            for n in range(count)
            for params, macs in [draw(st.tuples(st.integers(1, 5000), st.integers(0, 10**6)))]
        )
    )  # fmt: skip
    used = tuple(s for s in schemes if any(s in mine for mine in ordered))
    return Space(names=tuple(table.names()), schemes=used, options=ordered), table


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    made=tables(), seed=st.integers(0, 99), objective=st.sampled_from(("noise", "bytes")),
    simulated=st.booleans(), tune=st.booleans(), fails=st.integers(0, 3), counted=st.booleans(),
)  # fmt: skip
def test_any_network_and_any_schemes_are_searched_to_an_end(
    made: tuple[Space, LayerTable], seed: int, objective: str, simulated: bool, tune: bool, fails: int, counted: bool
) -> None:
    """No scheme need fit every layer, plans may fail, delegates may leave some: a search ends within its trials, without an error."""
    space, table = made
    random = np.random.default_rng(seed)
    noise = {s: 10 ** random.uniform(-9, -3, len(space.names)) for s in ALL}

    def measure(plans: Sequence[Choice]) -> list[Measures | str]:
        found: list[Measures | str] = []
        for plan in plans:
            if fails and zlib.crc32(plan.schemes[0].encode()) % 4 < fails and len(set(plan.schemes)) > 1:
                found.append("the converter refuses it")
                continue
            power = sum(noise[s][n] for n, s in enumerate(plan.schemes))
            size = sum(layer.params * (1 + ALL.index(s)) for layer, s in zip(table.layers, plan.schemes, strict=True))
            share = sum(s != "weight_only_wi4_afp32" for s in plan.schemes) / len(plan.schemes)
            found.append(
                Measures(
                    psnr_db=round(-10 * math.log10(power), 2), psnr_db_mean=0.0, ssim=None, ssim_mean=None, top1=None,
                    bytes=size, cost=None, delegated=share if counted else None,
                )
            )  # fmt: skip
        return found

    limits: dict[Quantity, float] = {"bytes": 3000.0} if objective == "noise" else {"noise": 1e-4}
    search = Search(
        space=space, table=table, goal=Goal(objective=objective, limits=limits), measure=measure, max_trials=14,  # type: ignore[arg-type]
        told=lambda count, best: None, tune=tune,
        simulated=lambda: {s: [float(v) for v in noise[s]] for s in space.schemes if s not in ("fp32",)} if simulated else None,
    )  # fmt: skip
    search.run()
    # Stock recipes, settings and damage are always measured; only the changes after them are counted against the most.
    assert len(search.trials) <= 14 + len(space.schemes) + len(space.names) + 8
    tried = [trial.choice for trial in search.trials]
    assert all(s in mine for plan in tried for s, mine in zip(plan.schemes, space.options, strict=True))


def test_a_plan_that_the_delegate_leaves_does_not_win_by_its_bytes() -> None:
    """Four bits without a kernel are small and good enough; what runs on the delegate is chosen, and nothing else is 'best'."""
    net = Invented(2)

    def measure(plans: Sequence[Choice]) -> list[Measures | str]:
        left = {"weight_only_wi8_afp32": 1.0}
        found = net.measure(plans)
        return [
            m
            if isinstance(m, str)
            else m.model_copy(update={"delegated": 1 - sum(left.get(s, 0) for s in p.schemes) / LAYERS})
            for p, m in zip(plans, found, strict=True)
        ]

    search = Search(
        space=net.space, table=net.table, goal=Goal(objective="bytes", limits={"noise": 1e-4}), measure=measure,
        max_trials=TRIALS, told=lambda count, best: None,
    )  # fmt: skip
    search.run()
    best = search.best()
    assert best is not None
    assert best.measures is not None
    assert "weight_only_wi8_afp32" not in best.schemes
    assert search.goal.limits["left"] == pytest.approx(0.05)
    assert "delegated" in " ".join(t.measures.describe() for t in search.trials if t.measures is not None)
