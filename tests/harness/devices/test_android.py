"""The android device against an emulated phone: real adb, real protocol, the arm64 runner executed under QEMU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from harness.devices import open_device
from harness.devices.android import shell as android
from harness.devices.android.adb import Adb
from harness.devices.android.files import push_verified
from harness.errors import DeviceError, MissingToolError, UsageError
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.devices.conftest import make_request
from tests.small_models import Backend, SmallModels, measure_largest_error


@pytest.mark.parametrize("backend", get_args(Backend))
def test_measure_from_end_to_end(phone: EmulatedPhone, models: SmallModels, backend: Backend) -> None:
    """The phone's runner gives every sample that was asked for and PyTorch's outputs, labelled as an emulator's; it leaves nothing."""
    with open_device(f"android:{phone.address}") as device:
        assert device.simulated == "emulator: not device-representative"
        assert device.metric == "latency"
        measured = device.measure(make_request(models, backend))
    assert len(measured.latency_ns) == 3
    assert min(measured.latency_ns) > 0
    assert measured.first_ns.value
    assert measured.load_ns.value
    assert measured.peak_memory_bytes.value
    assert measured.mode == "shell"
    assert measured.delegate_executed.value == "xnnpack"
    assert measured.instructions.value is None
    assert measure_largest_error(measured.outputs["stylized"], models.output) <= 1e-5
    assert phone.files == []


def test_device_info_and_conditions(phone: EmulatedPhone) -> None:
    """Properties and probes of the phone arrive as readings, and a clock that may not be read as null with the reason."""
    with open_device(f"android:{phone.address}") as device:
        info, conditions = device.info, device.conditions()
    assert (info.kind, info.id) == ("android", phone.serial)
    assert info.model.value == "Google Emulated Pixel"
    assert info.soc.value == "QEMU cortex-a76"
    assert info.os.value == "Android 15 (API 35)"
    assert info.build.value == PIXEL.properties["ro.build.fingerprint"]
    assert info.abi.value == "arm64-v8a"
    assert conditions.temperature_c.value == 29.5
    assert conditions.thermal_status.value == 0
    assert conditions.battery_percent.value == 78
    assert conditions.charging.value == "not charging (USB)"
    assert conditions.clocks_mhz[0].value == 1803
    assert "denied" in str(conditions.clocks_mhz[1].reason)


def test_the_phone_is_listed(phone: EmulatedPhone) -> None:
    """`harness devices` shows the phone's serial, model and that it is ready."""
    (found,) = [found for found in android.find() if found.id == phone.address]
    assert (found.state, found.description) == ("ready", "Android Emulated_Pixel over adb")


def test_a_second_measurement_pushes_only_what_changed(
    phone: EmulatedPhone, models: SmallModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a session the runner and the model are pushed once; a file that was changed on the phone is pushed again."""
    pushed: list[str] = []

    def counting(adb: Adb, files: dict[str, Path], folder: str) -> int:
        count = push_verified(adb, files, folder)
        pushed.append(f"{count} of {len(files)}")
        return count

    monkeypatch.setattr("harness.devices.android.shell.push_verified", counting)
    with open_device(f"android:{phone.address}") as device:
        device.measure(make_request(models, "tflite"))
        device.measure(make_request(models, "tflite"))
        (library,) = (phone.root / "data/local/tmp").glob("*/libm.so.6")
        library.write_bytes(library.read_bytes()[:-1] + b"\xff")
        device.measure(make_request(models, "tflite"))
    assert pushed == ["7 of 7", "1 of 1", "1 of 1", "0 of 7", "0 of 1", "1 of 1", "1 of 7", "0 of 1", "1 of 1"]


def test_names_with_spaces_quotes_and_emoji(phone: EmulatedPhone, models: SmallModels, tmp_path: Path) -> None:
    """A model file of any name is measured, and no part of its name is executed on the host or on the phone."""
    odd = tmp_path / 'a b\'; touch "$HOME" `id` $(reboot) 🦊.tflite'
    odd.write_bytes(models.tflite.read_bytes())
    with open_device(f"android:{phone.address}") as device:
        measured = device.measure(replace(make_request(models, "tflite"), artifact=odd))
    assert measure_largest_error(measured.outputs["stylized"], models.output) <= 1e-5


def test_a_damaged_model_is_one_sentence(phone: EmulatedPhone, models: SmallModels, tmp_path: Path) -> None:
    """A model that crashes the runtime on the phone is a DeviceError in the runner's words, and the phone is left clean."""
    (tmp_path / "cut.tflite").write_bytes(models.tflite.read_bytes()[:4000])
    with (
        pytest.raises(DeviceError, match="says: the runtime crashed with signal 11"),
        open_device(f"android:{phone.address}") as device,
    ):
        device.measure(replace(make_request(models, "tflite"), artifact=tmp_path / "cut.tflite"))
    assert phone.files == []


def test_another_abi_is_refused(adb_environment: AdbServer, models: SmallModels, tmp_path: Path) -> None:
    """A phone without arm64 is refused with its ABIs."""
    intel = replace(PIXEL, properties=PIXEL.properties | {"ro.product.cpu.abilist": "x86_64,x86"})
    with EmulatedPhone(tmp_path / "phone", intel) as phone:
        adb_environment.connect(phone.address)
        with open_device(f"android:{phone.address}") as device:
            assert "x86_64,x86" in str(device.find_unsupported(models.variant("tflite")))
        adb_environment.disconnect(phone.address)


def test_a_real_phone_has_no_label(adb_environment: AdbServer, tmp_path: Path) -> None:
    """Without the properties of an emulator nothing is called simulated."""
    emulators = ("ro.boot.qemu", "ro.hardware", "ro.build.fingerprint", "ro.product.name")
    real = {name: value for name, value in PIXEL.properties.items() if name not in emulators}
    real["ro.product.name"] = "shiba"
    with EmulatedPhone(tmp_path / "phone", replace(PIXEL, properties=real)) as phone:
        adb_environment.connect(phone.address)
        with open_device(f"android:{phone.address}") as device:
            assert device.simulated is None
        adb_environment.disconnect(phone.address)


def test_one_harness_at_a_time(phone: EmulatedPhone) -> None:
    """A phone that is being used is refused, and free again afterwards."""
    with open_device(f"android:{phone.address}"):
        second = open_device(f"android:{phone.address}")
        with pytest.raises(DeviceError, match="in use by another harness"):
            second.__enter__()
    with second:
        assert second.info.id == phone.serial


def test_which_of_two_phones(phone: EmulatedPhone, adb_environment: AdbServer, tmp_path: Path) -> None:
    """Without a serial the only phone is taken; of two, the choice is the user's."""
    with open_device("android") as device:
        assert device.info.id == phone.serial
    with EmulatedPhone(tmp_path / "other", PIXEL) as other:
        adb_environment.connect(other.address)
        with pytest.raises(UsageError, match=f"-d android:{other.address}"):
            open_device("android")
        adb_environment.disconnect(other.address)


def test_a_serial_that_is_not_there(phone: EmulatedPhone) -> None:
    """An unknown serial is a DeviceError that names it."""
    with pytest.raises(DeviceError, match="R5CT 10'🦊 is not connected"):
        open_device("android:R5CT 10'🦊")


def test_no_phone_at_all(adb_environment: AdbServer) -> None:
    """Without any device the error says what to do."""
    with pytest.raises(DeviceError, match="no Android device is connected"):
        open_device("android")
    assert [found.id for found in android.find()] == ["-"]


def test_adb_that_is_not_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong $ADB is a MissingToolError, and the device list shows it instead of failing."""
    monkeypatch.setenv("ADB", "/nowhere/adb")
    with pytest.raises(MissingToolError, match=r"\$ADB names '/nowhere/adb'"):
        open_device("android")
    assert "correct it or unset it" in android.find()[0].state


def test_no_adb_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without adb on PATH, in the SDK and in adbutils, the error names the command that adds it."""
    for name in ("ADB", "ANDROID_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("harness.devices.android.adb_program.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install adbutils"):
        open_device("android")
