"""The kinds of device that can be measured on. A new kind is one module and one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from builder.suggest import did_you_mean
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.devices.base import Device, DeviceKind, Found

# kind -> module with KIND, find() and open_device(device_id); imported when it is asked for
DEVICES: dict[str, str] = {
    "host": "harness.devices.host.device",
    "arm64": "harness.devices.arm64.device",
    "android": "harness.devices.android.shell",
    "android-app": "harness.devices.android.app",
    "ios-simulator": "harness.devices.ios.simulator",
    "ios": "harness.devices.ios.device",
    "browser": "harness.devices.browser.device",
    "chrome": "harness.devices.browser.phone",
    "replay": "harness.devices.replay",
}


def find_device_kind(kind: str) -> DeviceKind:
    """The module of a kind. Raises UsageError, with the nearest known kind, when there is none."""
    module = DEVICES.get(kind)
    if module is None:
        raise UsageError(f"there is no device kind {kind!r}{did_you_mean(kind, DEVICES)}")
    return cast("DeviceKind", importlib.import_module(module))


def find_devices() -> list[Found]:
    """Every device of every kind, ready or with the reason why not; a kind without a device has a line that says so."""
    from harness.devices.base import Found

    none = {
        kind: [Found(kind=kind, id="-", description=f"{kind} devices", state="none is connected")] for kind in DEVICES
    }
    return [device for kind in DEVICES for device in find_device_kind(kind).find() or none[kind]]


def open_device(name: str) -> Device:
    """Open `KIND` or `KIND:ID`, e.g. `host`, `android:R5CT10XYZ`. Raises UsageError and DeviceError."""
    kind, _, device_id = name.partition(":")
    return find_device_kind(kind).open_device(device_id or None)
