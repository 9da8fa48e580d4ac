"""The physical model behaves as phones do: it heats under load, throttles with hysteresis, cools, and repeats by seed."""

from __future__ import annotations

import math
import statistics

import pytest

from tests.emulated_phone.physics import AMBIENT_C, CLOCKS_MHZ, PhysicalPhone
from tests.emulated_phone.virtual_run import make_virtual_run

LEVEL_S = 0.1


def loaded(phone: PhysicalPhone, seconds: float) -> list[float]:
    end, took = phone.now() + seconds, []
    while phone.now() < end:
        took.append(phone.infer(LEVEL_S))
    return took


def test_load_heats_and_throttles() -> None:
    """Half an hour back to back raises the body, lowers the clock and makes inferences slower; a quick start is at full clock."""
    phone = PhysicalPhone(seed=1)
    first = loaded(phone, 20)
    assert phone.clock_mhz == CLOCKS_MHZ[0]
    loaded(phone, 1800)
    late = loaded(phone, 60)
    assert phone.skin_c > AMBIENT_C + 8
    assert sum(late) / len(late) > 1.05 * sum(first) / len(first)


def test_rest_cools_and_gives_the_clock_back() -> None:
    """After half an hour of rest the phone is as cool as the room and at full clock."""
    phone = PhysicalPhone(seed=2)
    loaded(phone, 1800)
    phone.sleep(1800)
    assert phone.skin_c == pytest.approx(AMBIENT_C, abs=0.5)
    assert phone.clock_mhz == CLOCKS_MHZ[0]


def test_charging_warms() -> None:
    """A phone on its charger is warmer at rest."""
    phone = PhysicalPhone(seed=3, charging=True)
    phone.sleep(3600)
    assert phone.skin_c > AMBIENT_C + 3


def test_the_same_seed_gives_the_same_phone() -> None:
    """Two phones of one seed give the same latencies, another seed gives others."""
    one, two, other = (PhysicalPhone(seed=seed) for seed in (4, 4, 5))
    assert loaded(one, 10) == loaded(two, 10) != loaded(other, 10)


def test_runs_differ_and_neighbours_resemble_one_another() -> None:
    """Inferences of one run share an offset of the asked spread, which correlates with that of the run before; without it runs are alike."""
    phone, alike = (PhysicalPhone(seed=6, noise=0.0, offset=offset) for offset in (0.015, 0.0))
    levels = []
    for _ in range(2000):
        phone.begin_run()
        alike.begin_run()
        first, second = phone.infer(1e-6), phone.infer(1e-6)
        assert first == pytest.approx(second)
        assert alike.infer(1e-6) == pytest.approx(1e-6)
        levels.append(math.log(first / 1e-6))
    assert statistics.stdev(levels) == pytest.approx(0.015, rel=0.1)
    assert statistics.correlation(levels[1:], levels[:-1]) == pytest.approx(0.5, abs=0.08)


def test_something_else_disturbs_a_share_of_the_inferences() -> None:
    """Spikes come as often as asked, only upwards, and half as long again on average."""
    phone = PhysicalPhone(seed=7, noise=0.0, spike=0.02)
    longer = [took - 1 for took in (phone.infer(1e-6) / 1e-6 for _ in range(20_000)) if took > 1.001]
    assert len(longer) / 20_000 == pytest.approx(0.02, rel=0.2)
    assert statistics.mean(longer) == pytest.approx(0.5, rel=0.2)


def test_each_model_takes_its_own_time() -> None:
    """The level of a benchmark is that of the model file in its command line; other commands are none."""
    phone = PhysicalPhone(seed=8, noise=0.0)
    levels = {"0" * 16: 0.01, "1" * 16: 0.02}
    took = [
        run.took_s
        for name in levels
        if (run := make_virtual_run(f"runner --model model-{name}.tflite --warmup 1 --runs 2", phone, levels))
    ]
    assert [round(seconds[0], 3) for seconds in took] == [0.01, 0.02]
    assert [len(seconds) for seconds in took] == [3, 3]
    assert make_virtual_run("getprop", phone, levels) is None
