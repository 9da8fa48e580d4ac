"""Can comparisons be trusted on a noisy phone? A small, seeded version of what `python scripts/bench measuring` measures in full."""

from __future__ import annotations

import numpy as np

from harness.analysis.comparison import Comparison, compare_runs, compare_variants
from harness.analysis.verdict import judge
from tests.harness.phone_model import PhoneModel, session

LEVEL_NS = 8e6
ROUNDS, SAMPLES = 5, 100


def interleaved(factor: float, seed: int) -> Comparison:
    runs = session(PhoneModel(seed=seed), {"a": LEVEL_NS, "b": LEVEL_NS * factor}, ROUNDS, SAMPLES)
    (found,) = compare_variants([judge(run) for run in sorted(runs, key=lambda run: run.variant)])
    return found


def test_identical_variants_seldom_differ() -> None:
    """Of 100 pairs of equal variants at most 9 are told apart at the 5 % level (the chance of more is 3 %)."""
    found = [interleaved(1.0, seed) for seed in range(100)]
    compared = [entry for entry in found if entry.ratio is not None and entry.ratio.basis == "paired rounds"]
    assert len(compared) >= 97  # a session of which two rounds are poor is not compared
    assert sum(entry.verdict != "no significant difference" for entry in compared) <= 9


def test_a_slow_down_of_five_percent_is_seen() -> None:
    """Of 60 real slow-downs by 5 % at least 54 are called slower, and none faster."""
    said = [interleaved(1.05, 1000 + seed).verdict for seed in range(60)]
    assert sum(verdict == "slower" for verdict in said) >= 54
    assert "faster" not in said


def test_sessions_apart_are_compared_without_false_alarms() -> None:
    """The same file on five nights of one phone, which differ by 2 %: at most 5 of 40 are told apart, and each is decided."""
    alarms = 0
    for seed in range(40):
        offsets = np.exp(np.random.default_rng(seed).normal(0, 0.02, 5))
        nights = [
            session(PhoneModel(seed=5 * seed + night), {"a": LEVEL_NS * offset}, ROUNDS, SAMPLES, name=str(night))
            for night, offset in enumerate(offsets)
        ]
        (found,) = compare_runs([run for night in nights[:4] for run in night], nights[4])
        assert found.ratio is not None
        assert found.ratio.basis == "sessions"
        alarms += found.verdict != "no significant difference"
    assert alarms <= 5


def test_the_model_gives_runs_that_are_good() -> None:
    """The noise of the model is that of a steady phone: hardly a run is called invalid or unstable."""
    runs = [
        judge(run) for seed in range(10) for run in session(PhoneModel(seed=seed), {"a": LEVEL_NS}, ROUNDS, SAMPLES)
    ]
    assert sum(run.verdict.grade == "ok" for run in runs) >= 48
