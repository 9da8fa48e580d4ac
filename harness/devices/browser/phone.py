"""The `chrome` device: Chrome on an Android phone over adb. Nothing is installed; gates, probes and pins are the phone's.

The page comes to the phone through adb (`adb reverse`), so that for Chrome it is on localhost: secure, and isolated with threads.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from builder.bundle import Variant
from harness.devices.android import shell as android
from harness.devices.android.adb import quote_words
from harness.devices.android.shell import Android, choose
from harness.devices.android.wireless import find_reachable
from harness.devices.base import Device, Found, Measured, Request
from harness.devices.browser.devtools import DevTools
from harness.devices.browser.page import OpenPage, find_refusal, measure_on_page, open_page
from harness.devices.browser.server import PageServer
from harness.errors import DeviceError, DeviceLost
from harness.records.run import DeviceInfo

KIND = "chrome"
LOCAL = False
CHROME = "com.android.chrome"
START = ("am", "start", "-n", f"{CHROME}/com.google.android.apps.chrome.Main")
SOCKET = "localabstract:chrome_devtools_remote"
# Chrome on a slow phone starts within some seconds.
START_S = 30.0
# A page with its runtime over USB, on a slow phone.
OPEN_S = 60.0


def find() -> list[Found]:
    """The phones of the kind `android`."""
    return [
        Found(
            kind=KIND,
            id=device.id,
            description=device.description.replace("over adb", "by its Chrome"),
            state=device.state,
        )
        for device in android.find()
    ]


def open_device(device_id: str | None) -> Device:
    device = choose(find_reachable(device_id), device_id)
    if device.problem is not None:
        raise DeviceLost(f"{device.serial} {device.problem}.")
    return PhoneChrome(device.serial)


class PhoneChrome(Android):
    """As `Android`, but a page in its Chrome measures. Where its threads run is Android's to say."""

    holds_cores = False

    def __init__(self, serial: str) -> None:
        super().__init__(serial)
        self._stack = ExitStack()
        self._page: OpenPage | None = None

    @property
    def info(self) -> DeviceInfo:
        """A phone's browser is a device of its own to all that groups runs."""
        return super().info.model_copy(update={"kind": KIND})

    def find_unsupported(self, variant: Variant) -> str | None:
        return find_refusal(variant, self._page)

    def measure(self, request: Request) -> Measured:
        self._ready()
        return measure_on_page(self._page, request)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            with ExitStack() as stack:
                self._page = self._open_tab(stack)
                self._stack = stack.pop_all()
        except BaseException:
            super().__exit__(None, None, None)
            raise
        return self

    def _open_tab(self, stack: ExitStack) -> OpenPage:
        """A tab in front with our page, which closes with the stack. Raises DeviceError, DeviceLost."""
        serial, server = self._adb.serial, stack.enter_context(PageServer())
        self.wake()
        started = self._adb.shell(quote_words(*START), doing="start Chrome")
        if started.status or "Error" in started.stdout + started.stderr:
            raise DeviceError(f"{serial} could not start Chrome; install it, or enable it in the phone's settings.")
        here = self._adb.reverse(server.port)
        stack.callback(_quietly, lambda: self._adb.unreverse(here))
        port = self._adb.forward(SOCKET)
        stack.callback(_quietly, lambda: self._adb.unforward(port))
        devtools = DevTools(port, f"Chrome on {serial}")
        devtools.wait(START_S)
        tab = devtools.open_tab(server.url(here))
        stack.callback(_quietly, lambda: devtools.close_tab(tab))
        cure = "unlock the phone, and answer what Chrome asks at its first start"
        return open_page(server, f"Chrome on {serial}", within_s=OPEN_S, cure=cure)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        super().__exit__(kind, error, trace)


def _quietly(undo: Callable[[], None]) -> None:
    """A phone that went away has nothing left to undo."""
    with suppress(DeviceError):
        undo()
