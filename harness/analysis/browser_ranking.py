"""The order in which pages of one kind of browser try the ways of running a bundle, as browsers measured them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import numpy as np

from builder.backends import find_spec
from builder.bundle import BrowserRanking, BrowserWay
from harness.analysis.grouping import group_runs
from harness.analysis.session_verdict import SessionVerdict, judge_session
from harness.analysis.verdict import choose_exit_code
from harness.errors import VerificationError
from harness.records.run import Run

Accelerator = Literal["wasm", "webgpu"]
ACCELERATORS: tuple[Accelerator, ...] = ("wasm", "webgpu")
Kind = tuple[str, str | None]  # browser, and its GPU


def rank_browsers(runs: Iterable[Run]) -> tuple[tuple[BrowserRanking, ...], int]:
    """One order, fastest first, for each browser and GPU where two ways or more were measured well; and how many measurements were good.

    A way is a variant in WebAssembly or by WebGPU. What was wrong in one browser of a kind is in no order of that kind. Devices of a kind
    are averaged geometrically, over the ways that all of them measured.
    """
    times: dict[Kind, dict[tuple[str, str], dict[BrowserWay, float]]] = defaultdict(lambda: defaultdict(dict))
    wrong: set[tuple[Kind, BrowserWay]] = set()
    good = 0
    for accelerator in ACCELERATORS:
        mine = [run for run in runs if run.mode == "web" and _find_accelerator(run) == accelerator]
        for group in group_runs(mine):
            verdict, browser = judge_session(group), group.last.browser
            if browser is None:
                continue
            kind = (browser.name, browser.gpu.value)
            way = BrowserWay(variant=group.variant, accelerator=accelerator)
            if verdict.exit_code == VerificationError.exit_code:
                wrong.add((kind, way))
            elif verdict.exit_code == 0 and not group.sustained:
                good += 1
                measured = times[kind][group.device]
                measured[way] = min(find_level(verdict), measured.get(way, math.inf))
    rankings: list[BrowserRanking] = []
    for kind in sorted(times, key=lambda kind: (kind[0], kind[1] or "")):
        devices = list(times[kind].values())
        shared = set.intersection(*(set(measured) for measured in devices)) - {way for at, way in wrong if at == kind}
        mean = {way: float(np.mean([np.log(measured[way]) for measured in devices])) for way in shared}
        if len(mean) > 1:
            ways = tuple(sorted(mean, key=lambda way: (mean[way], way.variant, way.accelerator)))
            rankings.append(BrowserRanking(browser=kind[0], gpu=kind[1], ways=ways))
    return tuple(rankings), good


def _find_accelerator(run: Run) -> str | None:
    """What executed it, by the delegate that its record names."""
    spec = find_spec(run.backend)
    return None if spec is None else spec.browser.get(run.delegate_executed.value or "")


def find_level(verdict: SessionVerdict) -> float:
    """Median of all good samples that the group holds, earlier sessions of the same file included."""
    return float(
        np.median(np.concatenate([run.latency_ns for run in verdict.group.runs if choose_exit_code(run.verdict) == 0]))
    )
