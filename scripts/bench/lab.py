"""A lab over night, through adb: repeated medians when a phone is gated by temperature, against fixed sleeps.

Enough short inferences are made that chance moves a median by 0.1 %: what is left of the spread is heat.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.emulated import make_bundle, record, serving, start_phone
from bench.table import LIMIT_S, ROOT, Row

sys.path.insert(0, str(ROOT))

from harness.protocol import Protocol, Wanted
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone.physics import PhysicalPhone

PHONES, REPEATS, WORKERS = 6, 12, 2
# Inferences of other networks before each measurement: seconds to minutes, which heat a phone more or less; or up to half an hour,
# after which it is as hot as it gets each time, so that the same sleep always ends at the same temperature.
WORK = {"varying": (100, 1500), "long": (300, 8000)}
LOADS_S = (0.05, 0.4)  # networks before each measured one take this long an inference, drawn anew: what heats differs
LEVELS_S = {"a": 0.005}
CEILING_C = 32.0
SLEEPS_S = (180.0, 300.0)  # what the scripts of ExecuTorch and MLPerf sleep
SLEPT = Protocol(name="slept", warmup=1, runs=2000, memory_pass=False)
GATED = SLEPT.model_copy(update={"name": "gated", "conditions": Wanted(max_temperature_c=CEILING_C, wait_s=3600)})


@dataclass(frozen=True, kw_only=True)
class Night:
    """Medians of one variant in ns, each after other work, and the seconds that all took on the phone's clock."""

    medians: tuple[float, ...]
    seconds: float

    @property
    def spread(self) -> float:
        return float(np.std(self.medians) / np.mean(self.medians))


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the nights are spent: the measured bundle and what is replayed of it."""

    folder: Path
    bundle: Path
    recorded: Path


def run_night(bench: Bench, seed: int, pause_s: float | None, work: tuple[int, int]) -> Night:
    """Each median is a session over adb; `pause_s` None gates by temperature. A session that fails ends the benchmark."""
    physics, draw, medians = PhysicalPhone(seed=seed), np.random.default_rng(seed), []
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    with (
        serving(folder / "adb") as server,
        start_phone(folder / "phone", bench.bundle, server, physics, LEVELS_S) as phone,
    ):
        phone.replay(bench.recorded)
        for _ in range(REPEATS):
            for _ in range(int(draw.integers(*work))):
                physics.infer(float(draw.uniform(*LOADS_S)))
            if pause_s is not None:
                physics.sleep(pause_s)
            with open_bundle_or_package(bench.bundle) as opened:
                plan = GATED if pause_s is None else SLEPT
                result = run_session(opened, [f"android:{phone.address}"], plan, None, clock=physics)
            if result.skipped:
                sys.exit(f"a session failed: {result.skipped[0].reason}")
            medians.append(float(np.median(result.runs[0].latency_ns)))
    return Night(medians=tuple(medians), seconds=physics.now())


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as name:
        folder = Path(name)
        bundle = make_bundle(folder / "bundle", LEVELS_S)
        bench = Bench(folder=folder, bundle=bundle, recorded=record(folder, bundle, LEVELS_S))
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            return [row for kind in WORK for row in make_rows(kind, bench, pool)]


def make_rows(kind: str, bench: Bench, pool: ProcessPoolExecutor) -> list[Row]:
    begun = {
        pause_s: [pool.submit(run_night, bench, seed, pause_s, WORK[kind]) for seed in range(PHONES)]
        for pause_s in (None, *SLEEPS_S)
    }
    nights = {pause_s: [entry.result(timeout=LIMIT_S) for entry in own] for pause_s, own in begun.items()}
    spread = {pause_s: float(np.mean([entry.spread for entry in own])) for pause_s, own in nights.items()}
    seconds = {pause_s: float(np.mean([entry.seconds for entry in own])) for pause_s, own in nights.items()}
    rows = []
    for pause_s in SLEEPS_S:
        ratio, longer = spread[None] / spread[pause_s], seconds[None] / seconds[pause_s]
        rows.append(
            Row(
                what=f"gated at {CEILING_C:g} °C against sleeps of {pause_s:g} s after {kind} work, {PHONES} phones over adb",
                figure="<= half the spread, no longer" if kind == "varying" else "(as hot each time)",
                measured=f"{ratio:.0%} of the spread, {longer:.0%} of the time",
                reached=(ratio <= 0.5 and longer <= 1.0) or kind != "varying",
                instead=f"spread {spread[pause_s]:.2%} in {seconds[pause_s] / 3600:.1f} h",
            )
        )
    return rows
