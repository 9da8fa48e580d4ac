"""Can the numbers be trusted, and how fast: false alarms, detection, coverage, a million samples, ten thousand runs.

The phone is the model of `tests/harness/phone_model.py`: correlated noise, spikes, an offset for each run that resembles that of the run
before it.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.table import ROOT, Row, run

sys.path.insert(0, str(ROOT))

from harness.analysis.comparison import Comparison, compare_variants
from harness.analysis.verdict import judge
from harness.statistics import estimate_level_of_rounds, estimate_median, judge_stationarity, summarize
from tests.harness.phone_model import PhoneModel, compute_true_median, session
from tests.harness.runs import device, make_run

PAIRS = 400
ROUNDS, SAMPLES = 5, 200  # of the standard protocol
LEVEL_NS = 8e6
CI_NOISE = {"noise": 0.03, "phi": 0.6, "offset": 0.015, "offset_phi": 0.5, "spike": 0.02}


def pair(factor: float, seed: int) -> Comparison:
    """Two variants of one interleaved session; runs that are judged invalid are left out, as `harness compare` does it."""
    levels = {"a": LEVEL_NS, "b": LEVEL_NS * factor}
    runs = [judge(entry) for entry in session(PhoneModel(seed=seed, **CI_NOISE), levels, ROUNDS, SAMPLES)]
    return compare_variants(sorted(runs, key=lambda entry: entry.variant))[0]


def compute_share(found: list[Comparison], word: str) -> float:
    return sum(entry.verdict.startswith(word) for entry in found) / len(found)


def make_comparison_rows() -> list[Row]:
    rows = []
    for name, make in (("one interleaved session", pair),):
        same = [make(1.0, seed) for seed in range(PAIRS)]
        alarms = compute_share(same, "slower") + compute_share(same, "faster")
        slow = [make(1.05, 10_000 + seed) for seed in range(PAIRS)]
        seen, ratios = compute_share(slow, "slower"), [entry.ratio for entry in slow if entry.ratio]
        held = np.mean([ratio.low <= 1.05 <= ratio.high for ratio in ratios])
        refused = sum(entry.refused is not None for entry in [*same, *slow])
        note = f"{ROUNDS} rounds of {SAMPLES} samples; {refused} of {2 * PAIRS} comparisons refused"
        rows += [
            Row(what=f"false alarms between identical variants, {PAIRS} pairs, {name}", figure="<= 5 %", measured=f"{alarms:.1%}", reached=alarms <= 0.05, instead=note),
            Row(what=f"a real 5 % slow-down is seen, {PAIRS} pairs, {name}", figure=">= 95 %", measured=f"{seen:.1%}", reached=seen >= 0.95, instead=f"one run a side would see {compare_single_runs(1.05):.0%} and raise {compare_single_runs(1.0):.0%} false alarms"),
            Row(what=f"95 % intervals of the ratio hold the true one, {name}", figure="93-97 %", measured=f"{held:.1%}", reached=bool(0.93 <= held <= 0.97)),
        ]  # fmt: skip
    return rows


def compare_single_runs(factor: float) -> float:
    """What a comparison of one run with one run would say, which does not know how runs differ."""
    found = []
    for seed in range(PAIRS):
        model = PhoneModel(seed=50_000 + seed, **CI_NOISE)
        runs = session(model, {"a": LEVEL_NS, "b": LEVEL_NS * factor}, 1, SAMPLES)
        found.append(compare_variants(sorted(runs, key=lambda entry: entry.variant))[0])
    return compute_share(found, "slower") + (compute_share(found, "faster") if factor == 1.0 else 0.0)


def make_coverage_rows() -> list[Row]:
    """Of one run against the median it was drawn with, and over rounds against the level of all runs."""
    rows = []
    for phi in (0.0, 0.6, 0.9):
        quiet = {"noise": 0.03, "phi": phi, "offset": 0.0, "spike": 0.02}
        truth = compute_true_median(PhoneModel(seed=1, **quiet), LEVEL_NS)
        held, naive = [], []
        for seed in range(1000):
            samples = PhoneModel(seed=seed, **quiet).run(LEVEL_NS, SAMPLES)
            found = estimate_median(samples)
            held.append(found.low <= truth <= found.high)
            ordered = np.sort(samples)  # the order statistics that independent samples would give
            reach = 1.96 * np.sqrt(SAMPLES) / 2
            naive.append(ordered[int(SAMPLES / 2 - reach)] <= truth <= ordered[int(SAMPLES / 2 + reach)])
        share_held = float(np.mean(held))
        rows.append(Row(what=f"95 % interval of a run's median, {SAMPLES} samples, correlation {phi:g}", figure="93-97 %", measured=f"{share_held:.1%}", reached=0.93 <= share_held <= 0.97, instead=f"as if samples were independent: {np.mean(naive):.1%}"))  # fmt: skip
    truth = compute_true_median(PhoneModel(seed=1, **CI_NOISE), LEVEL_NS)
    held = []
    for seed in range(1000):
        model = PhoneModel(seed=seed, **CI_NOISE)
        level = estimate_level_of_rounds([model.run(LEVEL_NS, 100) for _ in range(ROUNDS)])
        held.append(level.low <= truth <= level.high)
    share_held = float(np.mean(held))
    rows.append(Row(what=f"95 % interval over {ROUNDS} rounds", figure="93-97 %", measured=f"{share_held:.1%}", reached=0.93 <= share_held <= 0.97))  # fmt: skip
    return rows


def measure_speed(work: Path) -> list[Row]:
    samples = np.random.default_rng(0).gamma(9.0, 1e6, 1_000_000)
    start = time.process_time()
    summarize(samples)
    judge_stationarity(samples)
    seconds = time.process_time() - start
    store, page = work / "runs.jsonl", work / "report.html"
    random = np.random.default_rng(1)
    with store.open("w", encoding="utf-8") as stream:
        for number in range(10_000):
            phone, variant = number % 200, number // 200
            latency = 5e6 * (1 + variant / 50) * np.exp(random.normal(0, 0.02, SAMPLES))
            entry = make_run(
                id=f"r{number}",
                variant=f"v{variant}",
                device=device("android", f"P{phone:03}"),
                started_at=f"2026-01-{1 + number % 28:02}T03:04:05+00:00",
                latency_ns=tuple(int(value) for value in latency),
            )
            stream.write(entry.to_json() + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, _ = run("harness", "report", store, "-o", page)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    markdown = json.loads(run("harness", "report", store, "--format", "json")[1].stdout)
    size = page.stat().st_size
    return [
        Row(what="summary and search for changes, 1 M samples", figure="<= 2 s", measured=f"{seconds:.2f} s", reached=seconds <= 2),
        Row(what=f"report of {len(markdown['runs']):,} runs, 200 phones", figure="<= 10 s, <= 8 MB", measured=f"{took:.1f} s, {size / 1e6:.1f} MB", reached=took <= 10 and size <= 8e6, instead=f"time of one processor; {wall:.1f} s on the wall, with what else ran here"),
    ]  # fmt: skip


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        return [*make_comparison_rows(), *make_coverage_rows(), *measure_speed(Path(folder))]
