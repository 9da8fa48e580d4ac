"""What is held still on a phone is set back on any end: a good one, an error, kill -9, a cable that was pulled."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from harness.devices import open_device
from harness.devices.android import shell as android
from harness.devices.android.shell import Android
from harness.errors import DeviceError, DeviceLost
from harness.protocol import Pins
from tests.emulated_phone import EmulatedPhone

PINS = Pins(fixed_performance=True, stay_awake=True)
HELD = {"fixed_performance": "true", "global.stay_on_while_plugged_in": "7"}
BACK = {"fixed_performance": "false"}
KILLED = """
import os, signal, sys
from harness.protocol import Pins
from harness.devices import open_device
with open_device(sys.argv[1]) as device, device.pin(Pins(fixed_performance=True, stay_awake=True)):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def opened(phone: EmulatedPhone) -> Android:
    device = open_device(f"android:{phone.address}")
    assert isinstance(device, Android)
    return device


def test_set_while_measuring_and_set_back(phone: EmulatedPhone) -> None:
    """Both pins hold within the block and are in the conditions; after it the phone is as before."""
    with opened(phone) as device:
        with device.pin(PINS):
            assert phone.state == HELD
            assert [pin.value for pin in device.conditions().pins] == ["fixed performance", "stay awake"]
        assert phone.state == BACK
        assert device.conditions().pins == ()


def test_a_setting_that_was_there_comes_back(phone: EmulatedPhone) -> None:
    """A value that the owner had chosen is put back, not deleted."""
    with opened(phone) as device:
        device._adb.require_shell("settings put global stay_on_while_plugged_in 3", doing="be set")
        with device.pin(Pins(stay_awake=True)):
            assert phone.state["global.stay_on_while_plugged_in"] == "7"
    assert phone.state == {"global.stay_on_while_plugged_in": "3"}


def test_set_back_after_an_error(phone: EmulatedPhone) -> None:
    """An error within the block goes out as it is, and the phone is as before."""
    device = opened(phone)
    with pytest.raises(RuntimeError, match="broken"), device, device.pin(PINS):
        raise RuntimeError("broken")
    assert phone.state == BACK


def test_what_the_phone_refuses_to_take_back_is_told(phone: EmulatedPhone) -> None:
    """A setting that was set and cannot be set back is an error that names it and the command; it is told once."""
    device = opened(phone)
    with (
        pytest.raises(
            DeviceError, match=r"refused to take back stay awake; set it back by hand: adb -s \S+ shell settings"
        ),
        device,
        device.pin(Pins(stay_awake=True)),
    ):
        phone.faults.refuse = "settings delete"
    phone.faults.refuse = None
    with opened(phone):
        assert phone.state == {"global.stay_on_while_plugged_in": "7"}


def test_the_next_start_repairs_after_kill_9(phone: EmulatedPhone) -> None:
    """A harness that is killed leaves the phone pinned and its lock free; opening the phone again sets it back."""
    done = subprocess.run([sys.executable, "-c", KILLED, f"android:{phone.address}"], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert phone.state == HELD
    with opened(phone):
        assert phone.state == BACK


def test_the_next_start_repairs_a_phone_that_was_away(phone: EmulatedPhone) -> None:
    """When the shell does not answer at the end, the journal stays and is worked off at the next start."""
    device = opened(phone)
    with pytest.raises(DeviceLost, match="contradicts itself"), device, device.pin(PINS):
        phone.faults.exit_status = 9  # whatever is asked from now on, the answer contradicts itself
    assert phone.state["fixed_performance"] == "false" or phone.state == HELD
    phone.faults.exit_status = None
    with opened(phone):
        assert phone.state == BACK


def test_airplane_mode_does_not_cut_its_own_connection(phone: EmulatedPhone) -> None:
    """A phone that is connected over the network is not put into airplane mode."""
    with (
        opened(phone) as device,
        pytest.raises(DeviceError, match="connect it by USB"),
        device.pin(Pins(airplane_mode=True)),
    ):
        raise AssertionError("not reached")
    assert phone.state == {}


def test_a_serial_that_is_gone_may_come_back() -> None:
    """Not being connected is the error after which a session tries again."""
    with pytest.raises(DeviceLost, match="GONE 1 is not connected"):
        android.choose([], "GONE 1")
