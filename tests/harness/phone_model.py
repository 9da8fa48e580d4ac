"""A small phone in numbers, for tests of statistics and reports: heat from load, a governor with hysteresis, correlated noise.

Latencies of a run are AR(1) in their logarithm, with spikes to one side; each run has an offset of its own, and the offsets of
neighbouring runs resemble one another. All on a virtual clock and seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records.run import Run, Sample
from tests.harness.runs import conditions, make_run

AMBIENT_C = 24.0


@dataclass(kw_only=True)
class PhoneModel:
    """`noise` and `phi` are of the samples, `offset` is that between runs, `spike` the share of samples that something else disturbs."""

    seed: int
    noise: float = 0.03
    phi: float = 0.6
    offset: float = 0.015
    offset_phi: float = 0.5
    spike: float = 0.02

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._drift = self._random.normal(0, self.offset)

    def run(self, level_ns: float, count: int) -> tuple[int, ...]:
        """Latencies of one run whose true median over runs is `level_ns` (but for the spikes)."""
        step = self._random.normal(0, self.offset * np.sqrt(1 - self.offset_phi**2))
        self._drift = self.offset_phi * self._drift + step
        noise = self._random.normal(0, self.noise * np.sqrt(1 - self.phi**2), count)
        noise[0] = self._random.normal(0, self.noise)
        from scipy.signal import lfilter

        values = level_ns * np.exp(self._drift + lfilter([1], [1, -self.phi], noise))
        hit = self._random.random(count) < self.spike
        values[hit] *= 1 + self._random.exponential(0.5, int(hit.sum()))
        return tuple(int(value) for value in values)


def session(
    model: PhoneModel, levels_ns: dict[str, float], rounds: int, count: int, name: str = "s", **changes: object
) -> list[Run]:
    """Rounds of several variants, the order within a round drawn anew, as a session measures them."""
    random = np.random.default_rng(model.seed)
    runs = []
    for turn in range(rounds):
        for variant in random.permutation(sorted(levels_ns)):
            runs.append(
                make_run(
                    id=f"{name}-{turn}-{variant}",
                    session=name,
                    round=turn,
                    variant=str(variant),
                    variant_sha256=f"{variant:x<64}"[:64],
                    latency_ns=model.run(levels_ns[str(variant)], count),
                    **changes,
                )
            )
    return runs


def draw_sustained_run(seed: int, level_ns: float, minutes: float, heat: float, **changes: object) -> Run:
    """Back to back for `minutes`: the phone warms with `heat` (degrees that full load adds in the end), and its governor takes a
    step of the clock away above 43 degrees and gives it back below 39."""
    random = np.random.default_rng(seed)
    clock, clocks = 2800.0, (2800.0, 2400.0, 2000.0, 1600.0)
    step, temperature, now = 0, AMBIENT_C + 6, 0.0
    latencies: list[int] = []
    samples: list[Sample] = []
    told = -1.0
    while now < minutes * 60:
        clock = clocks[step]
        latency = level_ns * clocks[0] / clock * float(np.exp(random.normal(0, 0.02)))
        latencies.append(int(latency))
        now += latency / 1e9
        power = heat * (clock / clocks[0]) ** 2
        temperature += (AMBIENT_C + power - temperature) * latency / 1e9 / 220
        if now - told >= 5:
            told = now
            if temperature > 43 and step < 3:
                step += 1
            elif temperature < 39 and step:
                step -= 1
            samples += [
                Sample(t_s=now, probe="skin", value=round(temperature, 2), unit="degC"),
                Sample(
                    t_s=now,
                    probe="cpu",
                    value=round(temperature + 14 * power / heat + random.normal(0, 0.6), 2),
                    unit="degC",
                ),
                Sample(t_s=now, probe="cpu0", value=min(clock, 1800.0), unit="MHz"),
                Sample(t_s=now, probe="cpu7", value=clock, unit="MHz"),
                Sample(t_s=now, probe="thermal_status", value=float(min(step, 3)), unit="status"),
                Sample(t_s=now, probe="battery_voltage", value=3.9, unit="V"),
                Sample(t_s=now, probe="battery_current", value=-round(0.4 + 0.9 * (clock / 2800) ** 2, 3), unit="A"),
            ]
    from harness.records.run import ProtocolInfo

    return make_run(
        latency_ns=tuple(latencies),
        samples=tuple(samples),
        protocol=ProtocolInfo(name="sustained", warmup=0, runs=len(latencies), duration_s=minutes * 60),
        conditions_start=conditions(30.0),
        **changes,
    )


def compute_true_median(model: PhoneModel, level_ns: float, count: int = 400_000) -> float:
    """Median of what the model gives for a level in the long run, spikes included; offsets between runs cancel in the logarithm."""
    long = PhoneModel(seed=model.seed + 1, noise=model.noise, phi=model.phi, offset=0.0, spike=model.spike)
    values: NDArray[np.float64] = np.asarray(long.run(level_ns, count), np.float64)
    return float(np.median(values))
