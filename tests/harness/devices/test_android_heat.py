"""Sessions over adb on a phone that heats: what its sensors tell moves with its load, and a gate waits until it is cool; hours take seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.devices import open_device
from harness.protocol import Pins, Protocol, Wanted
from harness.records.run import Run
from harness.session.outcome import SessionResult
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.emulated_phone.physics import AMBIENT_C, PhysicalPhone

LEVEL_S, GATE_C = 0.25, 31.0
LASTING = Protocol(
    name="lasting",
    warmup=1,
    runs=4,
    threads=1,
    memory_pass=False,
    duration_s=120,
    conditions=Wanted(max_temperature_c=GATE_C, max_thermal_status=0, wait_s=3600),
)


@pytest.fixture
def physics() -> PhysicalPhone:
    return PhysicalPhone(seed=7)


@pytest.fixture
def warm_phone(adb_environment: AdbServer, physics: PhysicalPhone, tmp_path: Path) -> Iterator[EmulatedPhone]:
    with EmulatedPhone(tmp_path / "phone", PIXEL, physics=physics, level_s=LEVEL_S) as emulated:
        adb_environment.connect(emulated.address)
        yield emulated
        adb_environment.disconnect(emulated.address)
    assert emulated.unknown_commands == []


def session(phone: EmulatedPhone, bundle: Path, plan: Protocol, clock: PhysicalPhone) -> SessionResult:
    with open_bundle_or_package(bundle) as opened:
        return run_session(opened, [f"android:{phone.address}"], plan, None, clock=clock)


def reasons(result: SessionResult) -> list[str]:
    return [entry.reason for entry in result.skipped if entry.failed]


def told(run: Run, probe: str) -> list[float]:
    return [sample.value for sample in run.samples if sample.probe == probe]


def test_load_heats_the_phone_and_the_gate_waits(
    warm_phone: EmulatedPhone, physics: PhysicalPhone, small_bundle: Path
) -> None:
    """Minutes of load raise what the sensors tell, lower the clock and slow inferences down; the next variant begins when it is cool again."""
    began = time.monotonic()
    result = session(warm_phone, small_bundle, LASTING, physics)
    assert reasons(result) == []
    first, second = result.runs
    for run in (first, second):
        assert run.conditions_start.temperature_c.value is not None
        assert run.conditions_start.temperature_c.value <= GATE_C
        assert run.conditions_start.clock_limits_mhz[1].value == 2802
        temperatures, clocks = told(run, "temperature"), told(run, "clock")
        assert temperatures[-1] > GATE_C + 3
        assert temperatures[-1] > temperatures[0] + 3
        assert clocks[-1] < clocks[0]
        assert max(told(run, "thermal_status")) >= 1
        assert min(told(run, "thermal_headroom")) < max(told(run, "thermal_headroom"))
        assert run.golden is not None
        assert run.golden.passed
        cool, hot = run.latency_ns[: len(run.latency_ns) // 5], run.latency_ns[-len(run.latency_ns) // 5 :]
        assert sum(hot) / len(hot) > 1.1 * sum(cool) / len(cool)
        assert abs(sum(run.latency_ns) / 1e9 - LASTING.duration_s) < 45  # type: ignore[operator]
    loaded = sum(sum(run.latency_ns) for run in result.runs) / 1e9
    assert physics.now() - loaded > 60  # what the gate waited for, on the phone's clock
    assert time.monotonic() - began < physics.now() / 4


def test_a_hot_phone_is_not_measured_and_says_so(
    warm_phone: EmulatedPhone, physics: PhysicalPhone, small_bundle: Path
) -> None:
    """Where the time to wait is too short the figures of both are told; a quick run without conditions is invalid because it is throttled."""
    for _ in range(800):
        physics.infer(LEVEL_S)
    impatient = LASTING.model_copy(update={"conditions": Wanted(max_temperature_c=GATE_C, wait_s=15)})
    refused = session(warm_phone, small_bundle, impatient, physics)
    assert refused.runs == ()
    assert "was not ready within 15 s: it has 3" in reasons(refused)[0]
    assert "the limit is 31.0 °C" in reasons(refused)[0]
    for _ in range(200):
        physics.infer(LEVEL_S)
    quick = Protocol(name="quick", warmup=2, runs=5, threads=1, memory_pass=False, pins=Pins())
    result = session(warm_phone, small_bundle, quick, physics)
    assert len(result.runs) == 2
    assert all(run.verdict.code == "throttled" for run in result.runs)


class Attended:
    """The phone's clock, on which somebody switches it on again when it was off for half a minute."""

    def __init__(self, phone: EmulatedPhone, physics: PhysicalPhone, server: AdbServer) -> None:
        self._phone, self._physics, self._server = phone, physics, server
        self.now, self._off_s = physics.now, 0.0

    def sleep(self, seconds: float) -> None:
        self._physics.sleep(seconds)
        if self._phone.on:
            return
        self._off_s += seconds
        if self._off_s >= 30:
            self._off_s = 0.0
            self._phone.plug()
            self._server.disconnect(self._phone.address)
            self._server.connect(self._phone.address)


def test_a_phone_that_heat_switches_off(
    adb_environment: AdbServer, physics: PhysicalPhone, small_bundle: Path, tmp_path: Path
) -> None:
    """One that began too warm and switches itself off in the middle of a run is tried until it is back, and then measured."""
    plan = Protocol(name="quick", warmup=2, runs=5, threads=1, memory_pass=False)
    physics.body_c = 34.9
    with EmulatedPhone(tmp_path / "phone", PIXEL, physics=physics, level_s=LEVEL_S, shutdown_c=35.0) as phone:
        adb_environment.connect(phone.address)
        clock = Attended(phone, physics, adb_environment)
        with open_bundle_or_package(small_bundle) as opened:
            result = run_session(opened, [f"android:{phone.address}"], plan, None, clock=clock)
        adb_environment.disconnect(phone.address)
        assert phone.files == []
    assert reasons(result) == []
    assert len(result.runs) == 2
    assert all(len(run.latency_ns) >= plan.runs for run in result.runs)
    assert physics.now() > 40  # the pauses before it was back


def test_the_same_phone_without_load_stays_as_cool_as_the_room(warm_phone: EmulatedPhone) -> None:
    """Looking at a phone does not heat it, and each probe tells the same of it."""
    with open_device(f"android:{warm_phone.address}") as device:
        first, second = device.conditions(), device.conditions()
    assert first.temperature_c.value == second.temperature_c.value == AMBIENT_C
