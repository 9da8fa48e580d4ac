"""Do comparisons hold between nights, and within one session under noise of many kinds? Pure models, seeded; no device."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

from harness.session.order import draw_halves
from harness.statistics import Ratio, estimate_ratio_of_sessions, pair_ratio
from harness.statistics.steps import find_steps

Values = NDArray[np.float64]
PAIRS, ROUNDS, SAMPLES, LEVEL_NS = 400, 5, 200, 8e6
LIMIT = 0.03
MOST_ROUNDS, DECIDE = 15, 0.05  # of `standard`: it goes on until a change by so much can be told from none
NIGHTS = ((4, 1, 0), (3, 2, 0), (2, 1, 3))  # sessions of the base, of the new file, and of an older file of the variant


def run_night(draw: np.random.Generator, offset: float) -> list[Values]:
    """Rounds of one session: an offset for all of it, one that lingers for each run, noise for each sample."""
    session, lingering, rounds = draw.normal(0, offset), draw.normal(0, 0.015), []
    for _ in range(ROUNDS):
        lingering = 0.5 * lingering + draw.normal(0, 0.015 * np.sqrt(0.75))
        rounds.append(LEVEL_NS * np.exp(session + lingering + draw.normal(0, 0.03, SAMPLES)))
    return rounds


def compare_same(offset: float, counts: tuple[int, int, int], seed: int) -> Ratio:
    """Two identical files."""
    draw = np.random.default_rng([seed, round(offset * 1000)])
    base, new, other = ([run_night(draw, offset) for _ in range(count)] for count in counts)
    return estimate_ratio_of_sessions(base, new, [other] if other else [])


def _pink(draw: np.random.Generator, count: int) -> Values:
    frequencies = np.fft.rfftfreq(count)
    frequencies[0] = frequencies[1]
    noise = np.fft.irfft(np.fft.rfft(draw.normal(0, 1, count)) / np.sqrt(frequencies), count)
    return np.asarray(0.03 * (noise - noise.mean()) / noise.std())


def _ar(draw: np.random.Generator, count: int) -> Values:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1], [1, -0.9], draw.normal(0, 0.03 * np.sqrt(0.19), count)))


def _sawtooth(draw: np.random.Generator, count: int) -> Values:
    period = SAMPLES * (0.7 + 2 * draw.random())
    return np.asarray(0.04 * ((np.arange(count) / period + draw.random()) % 1) + draw.normal(0, 0.01, count))


# logarithms of what disturbs the samples of one session, in the order of time
NOISES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "white": lambda draw, count: draw.normal(0, 0.03, count),
    "AR 0.9": _ar,
    "drift of 1 % a run": lambda draw, count: draw.normal(0, 0.02, count) + np.arange(count) / SAMPLES * 0.01,
    "pink": _pink,
    "Pareto": lambda draw, count: np.log1p(0.05 * draw.pareto(1.5, count)) + draw.normal(0, 0.005, count),
    "t(2)": lambda draw, count: 0.02 * draw.standard_t(2, count).clip(-30, 30),
    "sawtooth": _sawtooth,
    "bimodal": lambda draw, count: (
        np.repeat(draw.random(count // SAMPLES) < 0.5, SAMPLES) * 0.06 + draw.normal(0, 0.02, count)
    ),
    "timer of 1 ms": lambda draw, count: draw.normal(0, 0.03, count),
}


def interleave(kind: str, slower: float, seed: int) -> Ratio:
    """Two builds that take turns in one session, as `harness run BASE NEW` orders them."""
    return pair_ratio(*taking_turns(kind, slower, seed, ROUNDS))


def until_decided(kind: str, seed: int) -> tuple[Ratio, int]:
    """Two identical builds under a protocol that looks after each round whether it can stop; the result, and the rounds it took."""
    base, new = taking_turns(kind, 0.0, seed, MOST_ROUNDS)
    for rounds in range(ROUNDS, MOST_ROUNDS + 1):
        ratio = pair_ratio(base[:rounds], new[:rounds])
        slower = ratio.verdict == "slower" and ratio.value > 1 + DECIDE
        if slower or judge_within(ratio, DECIDE):
            break
    return ratio, rounds


def taking_turns(kind: str, slower: float, seed: int, rounds: int) -> tuple[list[Values], list[Values]]:
    """Samples of both builds, round by round, ns."""
    draw = np.random.default_rng([seed, 7])
    noise = NOISES[kind](draw, 2 * rounds * SAMPLES)
    sides: tuple[list[Values], list[Values]] = ([], [])
    at = 0
    for turned in draw_halves(rounds, random.Random(seed)):
        for side in (1, 0) if turned else (0, 1):
            samples = LEVEL_NS * (1 + slower * side) * np.exp(noise[at : at + SAMPLES])
            sides[side].append(np.floor(samples / 1e6) * 1e6 if kind == "timer of 1 ms" else samples)
            at += SAMPLES
    return sides


def compute_share(found: Sequence[bool]) -> float:
    return float(np.mean(found))


def judge_within(ratio: Ratio, limit: float = LIMIT) -> bool:
    """What `harness check` passes at the limit."""
    return ratio.high <= 1 + limit or (ratio.value <= 1 + limit and ratio.reach <= limit)


HISTORY, CHANGED = 24, 14  # nights, and the one from which on it is slower
BETWEEN: dict[str, Callable[[np.random.Generator, float], Values]] = {
    "normal": lambda draw, sd: draw.normal(0, sd, HISTORY),
    "t(2)": lambda draw, sd: sd * draw.standard_t(2, HISTORY),
    "Pareto": lambda draw, sd: np.log1p(sd * draw.pareto(1.5, HISTORY)),
}


def is_changed(kind: str, sd: float, slower: float, seed: int) -> bool:
    """Whether a history of nights is said to have changed."""
    logs = BETWEEN[kind](np.random.default_rng([seed, 11]), sd)
    logs[CHANGED:] += np.log1p(slower)
    return bool(find_steps([np.exp(logs).tolist()])[0])


def run_histories() -> list[Row]:
    rows = []
    for kind in BETWEEN:
        for sd in (0.01, 0.02, 0.03):
            alarms = compute_share([is_changed(kind, sd, 0.0, seed) for seed in range(PAIRS)])
            seen = compute_share([is_changed(kind, sd, 0.05, 10_000 + seed) for seed in range(PAIRS // 4)])
            rows.append(Row(what=f"false alarms of a history of {HISTORY} nights, {kind}, {sd:.0%}", figure="<= 5 %", measured=f"{alarms:.1%}; 5 % slower since night {CHANGED + 1}: seen {seen:.0%}", reached=alarms <= 0.05))  # fmt: skip
    return rows


def measure() -> list[Row]:
    rows = run_histories()
    for offset in (0.01, 0.02, 0.03):
        for counts in NIGHTS:
            found = [compare_same(offset, counts, seed) for seed in range(PAIRS)]
            alarms = compute_share([ratio.verdict != "no significant difference" for ratio in found])
            held = compute_share([ratio.low <= 1 <= ratio.high for ratio in found])
            failed = compute_share([ratio.verdict == "slower" and ratio.value > 1 + LIMIT for ratio in found])
            rows.append(Row(what=f"false alarms, nights that differ by {offset:.0%}, {counts[0]} + {counts[1]} sessions and {counts[2]} of an older file", figure="<= 5 %", measured=f"{alarms:.1%}; intervals hold {held:.1%}; 'regression' at 3 % {failed:.1%}", reached=alarms <= 0.05))  # fmt: skip
    for kind in NOISES:
        same = [interleave(kind, 0.0, seed) for seed in range(PAIRS)]
        slow = [interleave(kind, 0.05, 10_000 + seed) for seed in range(PAIRS)]
        alarms = compute_share([ratio.verdict != "no significant difference" for ratio in same])
        held = compute_share([ratio.low <= 1.05 <= ratio.high for ratio in slow])
        seen, passed = (
            compute_share([ratio.verdict == "slower" for ratio in slow]),
            compute_share([judge_within(ratio) for ratio in slow]),
        )
        decided = f"5 % slower: seen {seen:.1%}, passed {passed:.1%}, else undecided; intervals hold {held:.1%}"
        rows.append(Row(what=f"false alarms in one session of {ROUNDS} rounds, {kind}", figure="<= 5 %, never passed", measured=f"{alarms:.1%}; {decided}", reached=alarms <= 0.05 and passed <= 0.01))  # fmt: skip
    for kind in NOISES:
        ended = [until_decided(kind, seed) for seed in range(PAIRS)]
        alarms = compute_share([ratio.verdict != "no significant difference" for ratio, _ in ended])
        took = float(np.mean([rounds for _, rounds in ended]))
        rows.append(Row(what=f"false alarms of a session that looks after each round, {kind}", figure="<= 5 %", measured=f"{alarms:.1%}; {took:.1f} rounds on average", reached=alarms <= 0.05))  # fmt: skip
    return rows
