"""What a phone tells of its state and of a pass, and what is waited for: headroom, screen, airplane mode, load, time at each clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.processor_use import average_clock, find_fastest_domain, load_beside, measure_top_share
from harness.devices import open_device
from harness.probes import list_probes
from harness.probes.probe import split_answers
from harness.protocol import PROTOCOLS, Protocol, Wanted
from harness.records.run import Run
from harness.session.outcome import SessionResult
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.harness.session.test_protocols import VirtualClock
from tests.small_models import SmallModels

HELP = "Thermal service (thermalservice) commands:\n  help\n    Print this help text.\n"
COUNTED = ("/proc/loadavg", "/proc/stat", "/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state")


@pytest.fixture
def dark(adb_environment: AdbServer, tmp_path: Path) -> Iterator[EmulatedPhone]:
    """A phone whose screen is off."""
    asleep = replace(PIXEL, dumps=PIXEL.dumps | {"power": "  mWakefulness=Asleep\n"})
    with EmulatedPhone(tmp_path / "phone", asleep) as emulated:
        adb_environment.connect(emulated.address)
        yield emulated
        adb_environment.disconnect(emulated.address)


def session(phone: EmulatedPhone, bundle: Path, **wanted: object) -> SessionResult:
    plan = Protocol(
        name="p",
        warmup=1,
        runs=5,
        threads=1,
        memory_pass=False,
        conditions=Wanted.model_validate({"wait_s": 5, **wanted}),
    )
    with open_bundle_or_package(bundle) as opened:
        return run_session(opened, [f"android:{phone.address}"], plan, None, clock=VirtualClock())


def take_first_run(result: SessionResult) -> Run:
    assert [entry.reason for entry in result.skipped if entry.failed] == []
    return result.runs[0]


def test_the_state_of_a_phone(phone: EmulatedPhone) -> None:
    """Each value arrives; a setting that was never made is null with the reason."""
    with open_device(f"android:{phone.address}") as device:
        state = device.conditions()
    assert state.thermal_headroom is not None
    assert (state.thermal_headroom.value, state.thermal_headroom.unit) == (0.483333, "headroom")
    assert state.screen is not None
    assert state.screen.value == "on"
    assert state.airplane_mode is not None
    assert state.airplane_mode.reason == "the setting airplane_mode_on says 'null'"
    assert state.background_load is not None
    assert (state.background_load.value, state.background_load.unit) == (5, "%")
    assert state.load_average is not None
    assert state.load_average.value == 3.2


def test_a_phone_that_tells_nothing_says_why(adb_environment: AdbServer, models: SmallModels, tmp_path: Path) -> None:
    """No headroom command, no power service, denied counters: reasons, and the measurement goes on."""
    silent = replace(
        PIXEL,
        headroom=HELP,
        dumps={name: text for name, text in PIXEL.dumps.items() if name != "power"},
        denied=(*PIXEL.denied, *COUNTED),
    )
    with EmulatedPhone(tmp_path / "phone", silent) as phone:
        adb_environment.connect(phone.address)
        with open_device(f"android:{phone.address}") as device:
            state, measured = device.conditions(), device.measure(make_request(models, "tflite"))
        adb_environment.disconnect(phone.address)
    told = (state.thermal_headroom, state.screen, state.background_load, state.load_average)
    assert [reading.value for reading in told if reading is not None] == [None] * 4
    reasons = [str(reading.reason) for reading in told if reading is not None]
    for reason, words in zip(reasons, ("no headroom", "no wakefulness", "denied", "denied"), strict=True):
        assert words in reason
    assert measured.processor_use is not None
    assert [state.reason for state in measured.processor_use.time_in_state] == [
        "not readable from the shell (permission denied)"
    ]
    assert "denied" in str(measured.processor_use.busy_s.reason)
    assert len(measured.latency_ns) == 3


def test_what_the_processors_did_in_a_pass(phone: EmulatedPhone, models: SmallModels) -> None:
    """From the phone's counters before and after the benchmark: mean clock, share of the top clock, load by others."""
    with open_device(f"android:{phone.address}") as device:
        use = device.measure(make_request(models, "tflite")).processor_use
    assert use is not None
    assert (use.passed_s.value, use.busy_s.value, use.own_s.value) == (4.0, 1.8, 1.2)
    domain = find_fastest_domain(use)
    assert domain is not None
    assert (domain.cpus, domain.mhz, domain.seconds) == ("0 1", (300.0, 2802.0), (1.1, 0.9))
    assert average_clock(domain).value == pytest.approx((1.1 * 300 + 0.9 * 2802) / 2, abs=0.1)
    assert measure_top_share(domain).value == 45


def test_a_dark_phone_is_woken(dark: EmulatedPhone, small_bundle: Path) -> None:
    """A protocol that wants the screen on has it on before the pass."""
    run = take_first_run(session(dark, small_bundle, screen="on"))
    assert run.conditions_start.screen is not None
    assert run.conditions_start.screen.value == "on"


def test_a_screen_that_stays_dark_is_told(dark: EmulatedPhone, small_bundle: Path) -> None:
    """A phone that forbids the shell to wake it is not measured, and the session says why."""
    dark.faults.refuse = "input keyevent"
    result = session(dark, small_bundle, screen="on")
    assert result.runs == ()
    (reason,) = {entry.reason for entry in result.skipped if entry.failed}
    assert "was not ready within 5 s: its screen is off, on is wanted; let it rest, or change the condition" in reason


def test_a_busy_phone_is_waited_for_and_told(phone: EmulatedPhone, small_bundle: Path) -> None:
    """Five percent of the processors are in use: less than `standard` wants, and the record tells; more than one."""
    standard = PROTOCOLS["standard"].conditions.model_dump(exclude={"wait_s"})
    assert (standard["screen"], standard["max_load"]) == ("on", 20)
    run = take_first_run(session(phone, small_bundle, **standard))
    assert run.conditions_start.background_load is not None
    assert load_beside(run).value == 15
    assert Run.model_validate_json(run.to_json()) == run
    refused = session(phone, small_bundle, max_load=1)
    assert refused.runs == ()
    assert "other programs use 5 % of its processors, the limit is 1 %" in refused.skipped[0].reason


def test_airplane_mode_is_waited_for(phone: EmulatedPhone, small_bundle: Path) -> None:
    """A phone whose setting says off is not measured by a protocol that wants it on."""
    with open_device(f"android:{phone.address}") as device:
        device._adb.require_shell("settings put global airplane_mode_on 0", doing="be set")  # type: ignore[attr-defined]
    refused = session(phone, small_bundle, airplane_mode=True)
    assert "its airplane mode is off, on is wanted" in refused.skipped[0].reason


@pytest.mark.parametrize("text", ["", "Headroom in 0 seconds: 0.5", "a\nedgebundle-part\nb\n", "edgebundle-part\n" * 9])
def test_an_answer_that_is_not_whole_gives_nothing(text: str) -> None:
    """No part is taken for another when one is missing or too many came."""
    told = split_answers(list_probes(), text)
    assert len(told) == 5
    assert {part for _, part in told} == {""}
