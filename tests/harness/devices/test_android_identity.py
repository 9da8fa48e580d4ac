"""A phone is known by itself: on another port, by another host, under an address that is another's now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.cache import find_state_root
from harness.devices import open_device
from harness.devices.android import journal
from harness.devices.android.identity import Identity
from harness.devices.android.shell import Android
from harness.errors import DeviceError, DeviceLost
from harness.protocol import Pins
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.harness.devices.test_android_pins import BACK, HELD, KILLED, PINS, opened
from tests.small_models import SmallModels


def kill_while_pinned(phone: EmulatedPhone) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, f"android:{phone.address}"], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert phone.state == HELD


def test_a_phone_on_a_new_port_is_repaired(phone: EmulatedPhone, adb_environment: AdbServer) -> None:
    """kill -9, then wireless debugging takes another port: the phone is known again, and set back."""
    kill_while_pinned(phone)
    before = open_device(f"android:{phone.address}").info.id
    adb_environment.disconnect(phone.address)
    phone.move()
    adb_environment.connect(phone.address)
    with opened(phone) as device:
        assert phone.state == BACK
        assert device.info.id == before == phone.serial
    assert phone.files == []


def test_another_host_repairs_a_phone(phone: EmulatedPhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be taken back is on the phone itself: a host that has never seen it sets it back."""
    kill_while_pinned(phone)
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "another host"))
    with opened(phone):
        assert phone.state == BACK
    assert phone.files == []


def test_one_phone_is_used_by_one_harness(
    phone: EmulatedPhone, adb_environment: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another address on this computer, and from another host, it is in use; afterwards it is free."""
    other = f"localhost:{phone.port}"
    assert "connected to" in adb_environment.connect(other)
    with opened(phone):
        with (
            pytest.raises(DeviceError, match="in use by another harness on this computer"),
            open_device(f"android:{other}"),
        ):
            raise AssertionError("not reached")
        with monkeypatch.context() as patch:
            patch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "another host"))
            with pytest.raises(DeviceError, match=rf"in use by \S+@\S+ process {os.getpid()}; wait"):
                open_device(f"android:{other}").__enter__()
    with open_device(f"android:{other}"):
        pass
    adb_environment.disconnect(other)


def test_another_phone_under_the_address_is_neither_measured_nor_set_back(
    phone: EmulatedPhone, adb_environment: AdbServer, models: SmallModels, tmp_path: Path
) -> None:
    """In the middle of a session another phone takes the address: it is not touched, and the first is set back when it is there again."""
    device = opened(phone)

    def replaced() -> None:
        with device, device.pin(PINS):
            phone.vanish()
            adb_environment.disconnect(phone.address)
            other = stack.enter_context(EmulatedPhone(tmp_path / "other", PIXEL, serial="OTHER01", port=phone.port))
            adb_environment.connect(other.address)
            others.append(other)
            device.measure(make_request(models, "tflite"))

    others: list[EmulatedPhone] = []
    with ExitStack() as stack:
        with pytest.raises(DeviceLost, match=rf"another phone \(OTHER01\) answers at \S+ than {phone.serial}"):
            replaced()
        assert (others[0].state, others[0].files) == ({}, [])
    adb_environment.disconnect(phone.address)
    phone.move()
    adb_environment.connect(phone.address)
    with opened(phone):
        assert phone.state == BACK


def test_a_restart_between_measurements_is_seen(phone: EmulatedPhone, models: SmallModels) -> None:
    """What was held still is gone after a restart: the phone is opened and held again before anything is measured."""
    with opened(phone) as device:
        before = (phone.root / "proc/sys/kernel/random/boot_id").read_text()
        (phone.root / "proc/sys/kernel/random/boot_id").write_text("01234567-89ab-cdef-0123-456789abcdef\n")
        with pytest.raises(DeviceLost, match="has restarted; it is opened again"):
            device.measure(make_request(models, "tflite"))
        (phone.root / "proc/sys/kernel/random/boot_id").write_text(before)


def test_a_benchmark_that_timed_out_is_ended(phone: EmulatedPhone, models: SmallModels) -> None:
    """It would go on beside the next measurement: it is found and seen dead before that begins."""
    with opened(phone) as device:
        phone.faults.runs_on = True
        with pytest.raises(DeviceError, match="did not run the benchmark within 2 s"):
            device.measure(make_request(models, "tflite", timeout_s=2.0))
        assert phone.benchmarks == {}
        phone.faults.runs_on = False
        device.measure(make_request(models, "tflite"))
    assert phone.overlaps == 0


STARTED = """
import sys, pickle
from harness.devices import open_device
from tests.harness.devices.conftest import make_request
from tests.small_models import make_small_models
with open_device(sys.argv[1]) as device:
    device.measure(make_request(make_small_models(), "tflite"))
"""


def test_a_benchmark_of_a_killed_harness_is_ended(phone: EmulatedPhone, models: SmallModels) -> None:
    """kill -9 of the harness leaves it on the phone; the next start ends it before it measures."""
    phone.faults.runs_on = True
    argv = [sys.executable, "-c", STARTED, f"android:{phone.address}"]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[3]) as killed:
        while not phone.benchmarks:
            assert killed.poll() is None
        killed.kill()
    assert phone.benchmarks != {}
    phone.faults.runs_on = False
    with opened(phone) as device:
        assert phone.benchmarks == {}
        device.measure(make_request(models, "tflite"))
    assert phone.overlaps == 0


@pytest.mark.parametrize("before", [None, "3"])
def test_a_line_before_the_answer_is_not_taken_for_a_setting(before: str | None, phone: EmulatedPhone) -> None:
    """A phone that prints a warning before each answer gets back what it had."""
    with opened(phone) as device:
        if before:
            device._adb.require_shell(f"settings put global stay_on_while_plugged_in {before}", doing="be set")
        phone.faults.banner = "WARNING: linker: libdvm.so has text relocations"
        with device.pin(Pins(stay_awake=True)):
            assert phone.state["global.stay_on_while_plugged_in"] == "7"
    assert phone.state == ({} if before is None else {"global.stay_on_while_plugged_in": "3"})


def test_a_setting_that_cannot_be_read_is_left_alone(phone: EmulatedPhone) -> None:
    """What could not be set back is not changed, and the conditions say why."""
    with opened(phone) as device:
        device._adb.require_shell("settings put global stay_on_while_plugged_in strange", doing="be set")
        with device.pin(Pins(stay_awake=True)):
            (pin,) = device.conditions().pins
    assert pin.reason == "stay awake: the device does not tell the value of stay_on_while_plugged_in"
    assert phone.state == {"global.stay_on_while_plugged_in": "strange"}


def spoil(phone: EmulatedPhone, which: str, text: str) -> None:
    if which in ("host", "both"):
        (file,) = (find_state_root() / "phones").glob("*.undo.json")
        file.write_text(text)
    if which in ("phone", "both"):
        (phone.root / journal.ON_PHONE.lstrip("/")).write_text(text)


@pytest.mark.parametrize(
    "text", ["[{", "null", '[{"pin": "stay awake", "before": "; reboot", "held": true}]', "\x00" * 40]
)
@pytest.mark.parametrize("which", ["host", "phone", "both"])
def test_a_damaged_journal_is_a_sentence(
    which: str, text: str, phone: EmulatedPhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One copy is enough; without any, the phone is not used, and the sentence says where to look. Nothing of it is executed."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "own"))
    kill_while_pinned(phone)
    spoil(phone, which, text)
    if which == "both":
        with pytest.raises(DeviceError, match=r"is damaged; look at 'Stay awake'"), opened(phone):
            raise AssertionError("not reached")
        spoil(phone, which, "[]")
        with opened(phone):
            return
    with opened(phone):
        assert phone.state == BACK


def test_who_is_the_same_phone() -> None:
    """By what both told; a serial that everybody has tells nothing."""
    one = Identity(serial="R5CT10", android_id="0123456789abcdef", boot_id=None)
    assert one.is_same_phone(Identity(serial="R5CT10", android_id=None, boot_id=None))
    assert not one.is_same_phone(Identity(serial="R5CT11", android_id=None, boot_id=None))
    cheap = Identity(serial=None, android_id="1123456789abcdef", boot_id=None)
    assert not one.is_same_phone(cheap)
    assert cheap.key("1.2.3.4:5", {}) == cheap.key("1.2.3.4:6", {}) != one.key("1.2.3.4:5", {})


@pytest.mark.parametrize("serial", ["0123456789ABCDEF", "unknown", "00000000", ""])
def test_a_serial_that_everybody_has_is_none(serial: str, adb_environment: AdbServer, tmp_path: Path) -> None:
    """Such phones are called by their address, and told apart by what Android drew when they were set up."""
    with EmulatedPhone(tmp_path / "phone", PIXEL, serial=serial) as phone:
        adb_environment.connect(phone.address)
        device = open_device(f"android:{phone.address}")
        assert isinstance(device, Android)
        assert device.info.id == phone.address
        assert device._identity.android_id is not None
        adb_environment.disconnect(phone.address)
