"""The physical model behaves as phones do: it heats under load, throttles with hysteresis, cools, and repeats by seed."""

from __future__ import annotations

import pytest

from tests.emulated_phone.physics import AMBIENT_C, CLOCKS_MHZ, PhysicalPhone

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
