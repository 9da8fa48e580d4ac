"""The `ios` device: `xcrun devicectl` where Xcode is, else the external program `pymobiledevice3` (Linux, Windows).

pymobiledevice3 is GPL and its requirements clash with ours: it is found on PATH, never imported, and installed for itself.
"""

from __future__ import annotations

from builder import process
from harness.devices.base import Device, Found
from harness.devices.ios import devicectl as ios_devicectl
from harness.devices.ios import pymobile as ios_pymobile
from harness.devices.ios.app import open_app
from harness.errors import DeviceError, MissingToolError, UsageError

KIND = "ios"
LOCAL = False
NEITHER = (
    "iPhones are reached by Xcode's devicectl (macOS), or by the program pymobiledevice3: install it for itself with "
    "'pipx install pymobiledevice3'"
)


def find() -> list[Found]:
    try:
        links = list_connected()
    except (MissingToolError, DeviceError) as error:
        return [Found(kind=KIND, id="-", description="iPhones and iPads", state=str(error))]
    return [
        Found(kind=KIND, id=link.info.id, description=link.description, state=link.problem or "ready") for link in links
    ]


def open_device(device_id: str | None) -> Device:
    links = list_connected()
    chosen = [link for link in links if device_id in (None, link.info.id, link.name)]
    if not chosen:
        which = f"{device_id} is" if device_id else "no iPhone is"
        raise DeviceError(f"{which} not connected; connect it by cable, unlock it and see 'harness devices'.")
    usable = [link for link in chosen if link.problem is None]
    if len(usable) > 1:
        names = ", ".join(f"-d {KIND}:{link.info.id}" for link in usable)
        raise UsageError(f"{len(usable)} iPhones are connected; choose with {names}.")
    if not usable:
        raise DeviceError(f"{chosen[0].info.id} cannot be used: {chosen[0].problem}.")
    return open_app(usable[0])


def list_connected() -> list[ios_devicectl.Devicectl] | list[ios_pymobile.Pymobile]:
    """All devices of the program that this computer has. Raises MissingToolError, DeviceError."""
    if process.find("xcrun") is not None:
        return ios_devicectl.list_connected()
    if process.find(ios_pymobile.PROGRAM) is not None:
        return ios_pymobile.list_connected()
    raise MissingToolError(f"{NEITHER}.")
