"""A lab over night: repeated medians when a phone is gated by temperature, against fixed sleeps.

Enough short inferences are made that chance moves a median by 0.1 %: what is left of the spread is heat.
"""

from __future__ import annotations

import sys

import numpy as np

from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

from harness.conditions import wait_for
from harness.config import Wanted
from harness.records import Conditions, Reading, TextReading
from tests.emulated_phone.physics import PhysicalPhone

PHONES, REPEATS, SAMPLES = 6, 12, 2000
# Inferences of other networks before each measurement: seconds to minutes, which heat a phone more or less; or up to half an hour,
# after which it is as hot as it gets each time, so that the same sleep always ends at the same temperature.
WORK = {"varying": (100, 1500), "long": (300, 8000)}
LOADS_S = (0.05, 0.4)  # networks before each measured one take this long an inference, drawn anew: what heats differs
LEVEL_S = 0.005
CEILING_C = 32.0


def told(phone: PhysicalPhone) -> Conditions:
    """What the emulated phone's sensors say; the gate decides by nothing else."""
    return Conditions(
        temperature_c=Reading(value=round(phone.skin_c, 1), unit="degC"),
        thermal_status=Reading(value=0, unit="status"),
        battery_percent=Reading(value=80, unit="%"),
        charging=TextReading(value="discharging"),
    )


def night(seed: int, pause_s: float | None, work: tuple[int, int]) -> tuple[list[float], float]:
    """Medians of one variant, each after other work of varying length, and the total time; `pause_s` None gates by temperature."""
    phone = PhysicalPhone(seed=seed)
    draw = np.random.default_rng(seed)
    wanted = Wanted(max_temperature_c=CEILING_C, wait_s=3600)
    medians = []
    for _ in range(REPEATS):
        for _ in range(int(draw.integers(*work))):
            phone.infer(float(draw.uniform(*LOADS_S)))
        if pause_s is None:
            wait_for(lambda: told(phone), wanted, None, phone)
        else:
            phone.sleep(pause_s)
        medians.append(float(np.median([phone.infer(LEVEL_S) for _ in range(SAMPLES)])))
    return medians, phone.now()


def spread(medians: list[float]) -> float:
    return float(np.std(medians) / np.mean(medians))


def measure() -> list[Row]:
    return [row for name in WORK for row in rows_of(name)]


def rows_of(name: str) -> list[Row]:
    gated = [night(seed, None, WORK[name]) for seed in range(PHONES)]
    rows = []
    for pause_s in (180.0, 300.0):  # what the scripts of ExecuTorch and MLPerf sleep
        fixed = [night(seed, pause_s, WORK[name]) for seed in range(PHONES)]
        ratio = np.mean([spread(m) for m, _ in gated]) / np.mean([spread(m) for m, _ in fixed])
        longer = np.mean([t for _, t in gated]) / np.mean([t for _, t in fixed])
        rows.append(
            Row(
                what=f"gated at {CEILING_C:g} °C against sleeps of {pause_s:g} s after {name} work, {PHONES} phones",
                figure="<= half the spread, no longer" if name == "varying" else "(as hot each time)",
                measured=f"{ratio:.0%} of the spread, {longer:.0%} of the time",
                reached=bool(ratio <= 0.5 and longer <= 1.0) or name != "varying",
                instead=f"spread {np.mean([spread(m) for m, _ in fixed]):.2%} in {np.mean([t for _, t in fixed]) / 3600:.1f} h",
            )
        )
    return rows
