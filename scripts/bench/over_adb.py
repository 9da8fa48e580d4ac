"""Can the numbers be trusted, through adb: whole sessions of `harness run` on an emulated phone whose runs differ as those of a phone do.

Everything but the processor is real: adb, the pushed files and their hashes, the protocol's conditions and waits, the records and
the comparison. The benchmark runs once under QEMU; what an inference takes is the phone's physics, on whose clock all waits pass.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.emulated import make_bundle, record, serving, start_phone
from bench.measuring import CI_NOISE
from bench.table import LIMIT_S, ROOT, Row

sys.path.insert(0, str(ROOT))

from harness.analysis.comparison import compare_variants
from harness.protocol import PROTOCOLS
from harness.records.run import Run
from harness.records.store import open_store, read_runs
from harness.session.session import open_bundle_or_package, run_session
from harness.statistics import estimate_level_of_rounds
from tests.emulated_phone.physics import AMBIENT_C, LEAKAGE, PhysicalPhone
from tests.harness.phone_model import PhoneModel, compute_true_median

PAIRS = int(os.environ.get("BENCH_PAIRS", "400"))
WORKERS = 2
LEVEL_S, SLOWER = 0.004, 1.05
LEVELS_S = {"a": LEVEL_S, "same": LEVEL_S, "slow": LEVEL_S * SLOWER}
PROTOCOL = PROTOCOLS["standard"]
# `standard` starts the program twice for each run, first to read its memory: so neighbouring measurements resemble one another as asked
NOISE = {**CI_NOISE, "offset_phi": CI_NOISE["offset_phi"] ** 0.5}
TRUE_NS = {name: compute_true_median(PhoneModel(seed=1, **CI_NOISE), level * 1e9) for name, level in LEVELS_S.items()}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a comparison with variant `a` said; `low` and `high` of its ratio are None where it was refused."""

    verdict: str
    low: float | None
    high: float | None

    def holds(self, truth: float) -> bool:
        return self.low is not None and self.high is not None and self.low <= truth <= self.high


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one session: its two comparisons, whether the interval of each variant's level held the true one, its runs' verdicts, and why a
    variant has fewer of them than rounds."""

    same: Compared
    slow: Compared
    held: tuple[bool, ...]
    verdicts: tuple[str, ...]
    failed: tuple[str, ...]


def run_sessions(folder: Path, bundle: Path, recorded: Path, seeds: list[int]) -> list[Outcome]:
    """One after the other, each on a phone of its own."""
    outcomes = []
    with serving(folder) as server:
        for seed in seeds:
            physics = PhysicalPhone(seed=seed, **NOISE)
            with start_phone(folder / f"phone-{seed}", bundle, server, physics, LEVELS_S) as phone:
                phone.replay(recorded)
                store = str(folder / f"{seed}.jsonl")
                with open_bundle_or_package(bundle) as opened, closing(open_store(store, create=True)) as opened_store:
                    result = run_session(opened, [f"android:{phone.address}"], PROTOCOL, opened_store, clock=physics)
            outcomes.append(judge_outcome(tuple(read_runs(store)), tuple(entry.reason for entry in result.skipped)))
            shutil.rmtree(folder / f"phone-{seed}")
    return outcomes


def judge_outcome(runs: tuple[Run, ...], failed: tuple[str, ...]) -> Outcome:
    held = tuple(holds_level(own) for name in LEVELS_S if (own := pick_good(runs, name)))
    return Outcome(
        same=compare_with(runs, "same"),
        slow=compare_with(runs, "slow"),
        held=held,
        verdicts=tuple(run.verdict.words for run in runs),
        failed=failed,
    )


def pick_good(runs: tuple[Run, ...], variant: str) -> list[Run]:
    return [run for run in runs if run.variant == variant and run.verdict.grade == "ok"]


def compare_with(runs: tuple[Run, ...], variant: str) -> Compared:
    """`a` and this variant by what `harness compare` does, as if the session had measured these two alone."""
    pair = [run for name in ("a", variant) for run in runs if run.variant == name]
    said = compare_variants(pair)[0]
    low, high = (said.ratio.low, said.ratio.high) if said.ratio is not None else (None, None)
    return Compared(verdict=said.verdict, low=low, high=high)


def holds_level(runs: list[Run]) -> bool:
    """Whether the interval over the rounds holds what the model says a run takes in the middle, as warm as the phone told it was."""
    warmth = [run.conditions_start.temperature_c.value for run in runs]
    heat = float(np.mean([1 + LEAKAGE * (celsius - AMBIENT_C) for celsius in warmth if celsius is not None]))
    level = estimate_level_of_rounds([run.latency_ns for run in runs], turns=len(LEVELS_S))
    return level.low <= heat * TRUE_NS[runs[0].variant] <= level.high


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as name:
        folder = Path(name)
        bundle = make_bundle(folder / "bundle", LEVELS_S)
        recorded = record(folder, bundle, LEVELS_S)
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            parts = [
                pool.submit(
                    run_sessions, folder / f"worker-{number}", bundle, recorded, list(range(PAIRS))[number::WORKERS]
                )
                for number in range(WORKERS)
            ]
            found = [entry for part in parts for entry in part.result(timeout=LIMIT_S)]
    return make_rows(found)


def make_rows(found: list[Outcome]) -> list[Row]:
    same, slow = [entry.same for entry in found], [entry.slow for entry in found]
    alarms = compute_share([entry.verdict.startswith(("slower", "faster")) for entry in same])
    seen = compute_share([entry.verdict.startswith("slower") for entry in slow])
    answered = [
        (entry, truth) for side, truth in ((same, 1.0), (slow, SLOWER)) for entry in side if entry.low is not None
    ]
    ratios = compute_share([entry.holds(truth) for entry, truth in answered])
    levels = [held for entry in found for held in entry.held]
    verdicts = [verdict for entry in found for verdict in entry.verdicts]
    poor = sum(verdict != "ok" for verdict in verdicts)
    failed = sum(len(entry.failed) for entry in found)
    refused = f"{2 * len(found) - len(answered)} of {2 * len(found)} comparisons refused"
    not_ok = f"{poor} of {len(verdicts)} runs not ok, {failed} variants given up"
    pairs = f"{len(found)} sessions of `{PROTOCOL.name}` over adb"
    return [
        Row(what=f"false alarms between identical variants, {pairs}", figure="<= 5 %", measured=f"{alarms:.1%}", reached=alarms <= 0.05, instead=refused),
        Row(what=f"a real 5 % slow-down is seen, {pairs}", figure=">= 95 %", measured=f"{seen:.1%}", reached=seen >= 0.95, instead=not_ok),
        Row(what=f"95 % intervals of {len(answered)} ratios hold the true one", figure="93-97 %", measured=f"{ratios:.1%}", reached=0.93 <= ratios <= 0.97),
        Row(what=f"95 % intervals of {len(levels)} levels over {PROTOCOL.rounds} rounds hold the true one", figure="93-97 %", measured=f"{compute_share(levels):.1%}", reached=0.93 <= compute_share(levels) <= 0.97),
    ]  # fmt: skip


def compute_share(held: list[bool]) -> float:
    return sum(held) / len(held)
