"""Phones that misbehave: each fault is a DeviceError in one sentence, within its time limit, and never a wrong number."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.devices import open_device
from harness.devices.android import adb as adb_client
from harness.devices.android import shell as android
from harness.devices.base import Device
from harness.errors import DeviceError
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.small_models import SmallModels


def opened(phone: EmulatedPhone) -> Device:
    return open_device(f"android:{phone.address}")


def test_unauthorized(adb_environment: AdbServer, tmp_path: Path) -> None:
    """A phone on which nobody accepted the question is named with what to tap, in the list and as an error."""
    with EmulatedPhone(tmp_path / "phone", PIXEL) as phone:
        phone.faults.unauthorized = True
        adb_environment.connect(phone.address)
        (found,) = [found for found in android.find() if found.id == phone.address]
        assert "Allow USB debugging" in found.state
        with pytest.raises(DeviceError, match="Allow USB debugging"):
            opened(phone)
        adb_environment.disconnect(phone.address)


def test_hung_shell(phone: EmulatedPhone, models: SmallModels) -> None:
    """A shell that never answers is given up at its limit, before and during the benchmark."""
    start = time.monotonic()
    phone.faults.hang_on = "dumpsys battery"
    with pytest.raises(DeviceError, match=r"did not tell its battery within 1 s; check its screen"):
        adb_client.Adb(phone.address).shell("dumpsys battery", doing="tell its battery", timeout_s=1.0)
    with opened(phone) as device:
        phone.faults.hang_on = "--model"
        with pytest.raises(DeviceError, match=r"did not run the benchmark within 1 s"):
            device.measure(make_request(models, "tflite", timeout_s=1.0))
    assert time.monotonic() - start < 20
    assert phone.files == []


def test_storage_full(phone: EmulatedPhone, models: SmallModels) -> None:
    """A full storage is named as such, and what was pushed is removed again."""
    phone.faults.storage_bytes = 1_000_000
    with pytest.raises(DeviceError, match="its storage is full; free space on it"), opened(phone) as device:
        device.measure(make_request(models, "tflite"))
    assert phone.files == []


def test_wrong_exit_status(phone: EmulatedPhone, models: SmallModels) -> None:
    """A shell whose reported status contradicts what it printed is not believed."""
    with opened(phone) as device:
        phone.faults.exit_status = 7
        with pytest.raises(DeviceError, match="contradicts itself: its shell ended with status 0 but reported 7"):
            device.measure(make_request(models, "tflite"))
        phone.faults.exit_status = None


def test_corrupted_push(phone: EmulatedPhone, models: SmallModels) -> None:
    """A file that arrives with another content is found by its hash and never measured."""
    phone.faults.corrupt_pushes = True
    with pytest.raises(DeviceError, match="with other content than was sent"), opened(phone) as device:
        device.measure(make_request(models, "tflite"))
    assert phone.files == []


@pytest.mark.parametrize("count", [0, 1, 70_000, 5_000_000])
def test_disconnected_while_pushing(phone: EmulatedPhone, models: SmallModels, count: int) -> None:
    """A phone that goes away at some byte is a DeviceError, and the error is not hidden by the cleaning that fails too."""
    device = opened(phone)
    phone.faults.disconnect_after_bytes = count
    with pytest.raises(DeviceError, match=f"{phone.address} could not "), device:
        device.measure(make_request(models, "tflite"))


def test_disconnected_while_running(phone: EmulatedPhone, models: SmallModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone that goes away during the benchmark gives no result, although adb itself may end without an error."""
    shell = adb_client.Adb.shell

    def unplugged(self: adb_client.Adb, command: str, **options: object) -> adb_client.ShellResult:
        if "--model" in command:
            phone.vanish()
        return shell(self, command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(adb_client.Adb, "shell", unplugged)
    with pytest.raises(DeviceError, match="could not run the benchmark"), opened(phone) as device:
        device.measure(make_request(models, "tflite"))


def test_an_unknown_command_is_written_down(adb_environment: AdbServer, tmp_path: Path) -> None:
    """The emulated phone fails on what it does not have, so that no test passes by luck."""
    with EmulatedPhone(tmp_path / "phone", PIXEL) as phone:
        adb_environment.connect(phone.address)
        result = adb_client.Adb(phone.address).shell("reboot now", doing="restart")
        adb_environment.disconnect(phone.address)
    assert result.status == 127
    assert phone.unknown_commands == ["reboot now"]
