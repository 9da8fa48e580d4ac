"""Phones of the big vendors over the real adb: a quick session on each is valid, and each probe tells what the phone tells, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.devices import open_device
from harness.devices.base import Pinnable
from harness.protocol import PROTOCOLS, Pins
from harness.records.run import Conditions, Reading, Run, TextReading
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import VENDORS, AdbServer, EmulatedPhone
from tests.emulated_phone.physics import PhysicalPhone

Said = float | str  # a value, or words of the reason why there is none


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the probes must find. `charging` is a value or, with a leading `!`, words of the reason."""

    device: str
    soc: str | None
    temperature: Said
    status: Said
    percent: Said
    charging: str
    headroom: Said
    volts: Said
    amperes: Said
    clocks: int
    top_mhz: Said
    load: Said = 5.0


NO_GAUGE, NO_HEADROOM = "no fuel gauge tells", "answers no headroom"
EXPECTED = {
    "samsung": Told(
        device="samsung SM-A526B, Android 12 (API 31)",
        soc="QTI SM7225",
        temperature=29.5,  # the skin, beside sensors that do not exist
        status=0,
        percent=84,
        charging="charging (USB)",
        headroom=NO_HEADROOM,
        volts=4.218,
        amperes=-0.412,  # in milliamperes beside microvolts
        clocks=8,
        top_mhz=2208,
    ),
    "xiaomi": Told(
        device="Xiaomi 2211133C, Android 14 (API 34)",
        soc="QTI SM8550",
        temperature=29.5,
        status=0,
        percent=67,
        charging="charging (USB)",
        headroom=0.4833,  # from the skin's thresholds
        volts="not readable from the shell (permission denied)",
        amperes="not readable from the shell (permission denied)",
        clocks=8,
        top_mhz=3187.2,
    ),
    "oneplus": Told(
        device="OnePlus PKG110, Android 15 (API 35)",
        soc="QTI SM8650",
        temperature=28.4,  # the battery's: the thermal service has no HAL, and the vendor's own block is not taken for it
        status=0,
        percent=87,
        charging="charging (USB)",
        headroom="'NaN', which is no number",
        volts=4.402,
        amperes=-1.589,
        clocks=8,
        top_mhz=3302.4,
    ),
    "oppo": Told(
        device="OPPO CPH1909, Android 8.1.0 (API 27)",
        soc=None,
        temperature=28.4,
        status="tells no thermal status",
        percent=100,
        charging="full (AC)",
        headroom=NO_HEADROOM,
        volts=NO_GAUGE,
        amperes=NO_GAUGE,
        clocks=8,
        top_mhz=2301,
    ),
    "huawei": Told(
        device="HUAWEI LIO-AL00, Android 10 (API 29)",
        soc=None,
        temperature=28.4,
        status=0,
        percent=68,
        charging="charging (USB)",
        headroom=NO_HEADROOM,
        volts="not readable from the shell (permission denied)",
        amperes="not readable from the shell (permission denied)",
        clocks=8,
        top_mhz="the clock of cpu0 is not readable from the shell (permission denied)",
        load="/proc/stat is not readable from the shell (permission denied)",
    ),
    "honor": Told(
        device="HONOR BVL-AN00, Android 14 (API 34)",
        soc="SM8650",
        # the battery's words are not understood, and of the zones one is the die and the other a board
        temperature="none of 2 thermal zones is of the skin or the battery",
        status="tells no thermal status",
        percent="tells no level",
        charging="!tells no status",
        headroom=NO_HEADROOM,
        volts=NO_GAUGE,
        amperes=NO_GAUGE,
        clocks=8,
        top_mhz=3302.4,
    ),
}


@pytest.fixture
def vendor(request: pytest.FixtureRequest, adb_environment: AdbServer, tmp_path: Path) -> Iterator[EmulatedPhone]:
    """A phone at rest that does little: what its sensors tell does not move."""
    rest = PhysicalPhone(seed=1, noise=0.001, phi=0.0, body_c=29.5, die_c=41.2)
    with EmulatedPhone(tmp_path / "phone", VENDORS[request.param], physics=rest, level_s=0.001) as emulated:
        adb_environment.connect(emulated.address)
        yield emulated
        adb_environment.disconnect(emulated.address)
    assert emulated.unknown_commands == []


def check(reading: Reading | TextReading | None, said: Said) -> None:
    assert reading is not None
    if isinstance(said, str) and not isinstance(reading, TextReading):
        assert reading.value is None
        assert said in str(reading.reason)
    else:
        assert reading.value == (pytest.approx(said) if isinstance(said, float) else said), reading.reason


def check_state(state: Conditions, told: Told) -> None:
    check(state.temperature_c, told.temperature)
    check(state.thermal_status, told.status)
    check(state.battery_percent, told.percent)
    check(state.thermal_headroom, told.headroom)
    check(state.battery_v, told.volts)
    check(state.battery_a, told.amperes)
    check(state.background_load, told.load)
    assert len(state.clocks_mhz) == len(state.clock_limits_mhz) == told.clocks
    check(state.clocks_mhz[0 if isinstance(told.top_mhz, str) else -1], told.top_mhz)
    assert all(limit.value is not None for limit in state.clock_limits_mhz)
    assert state.screen is not None
    assert state.screen.value == "on"
    if told.charging.startswith("!"):
        assert told.charging[1:] in str(state.charging.reason)
    else:
        assert state.charging.value == told.charging


@pytest.mark.parametrize(("vendor", "told"), EXPECTED.items(), ids=EXPECTED, indirect=["vendor"])
def test_a_quick_session(vendor: EmulatedPhone, told: Told, small_bundle: Path) -> None:
    """Both runtimes are measured with their goldens reached; the record names the phone and holds each value, or the reason why there is none."""
    with open_bundle_or_package(small_bundle) as bundle:
        result = run_session(bundle, [f"android:{vendor.address}"], PROTOCOLS["quick"], None)
    assert [entry.reason for entry in result.skipped if entry.failed] == []
    assert {run.variant for run in result.runs} == {"executorch-fp32", "tflite-fp32"}
    for run in result.runs:
        device = run.device
        assert f"{device.model.value}, {device.os.value}" == told.device
        assert device.soc.value == told.soc
        assert run.simulated is None
        assert run.golden is not None
        assert run.golden.passed
        assert run.verdict.grade == "ok"
        assert len(run.latency_ns) >= 30
        assert run.processor_use is not None
        assert all(state.seconds for state in run.processor_use.time_in_state)
        check_state(run.conditions_start, told)
        check_state(run.conditions_end, told)
        assert Run.model_validate_json(run.to_json()) == run


def test_the_vendors_are_those_that_are_expected() -> None:
    """No personality goes without a test."""
    assert set(VENDORS) == set(EXPECTED)


@pytest.mark.parametrize("vendor", ["xiaomi"], indirect=True)
def test_a_phone_that_refuses_its_settings(vendor: EmulatedPhone) -> None:
    """What it does not let the shell set is told with the phone's words, what it lets is held, and nothing stays behind."""
    with open_device(f"android:{vendor.address}") as device:
        assert isinstance(device, Pinnable)
        with device.pin(Pins(fixed_performance=True, stay_awake=True)):
            pins = device.conditions().pins  # type: ignore[attr-defined]
    assert [pin.value for pin in pins] == ["fixed performance", None]
    assert "stay awake: the device refused (java.lang.SecurityException" in str(pins[1].reason)
    assert vendor.state == {"fixed_performance": "false"}
