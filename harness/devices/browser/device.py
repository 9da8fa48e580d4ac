"""The `browser` device: Chromium on this computer without a window, or any browser that opens a link."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self

from builder.bundle import Variant
from harness.devices.base import Device, Found, Measured, Request
from harness.devices.browser.chromium import explain_missing, find_chromium, start_chromium
from harness.devices.browser.link import LAN, LINK, LinkedBrowser
from harness.devices.browser.page import OpenPage, find_refusal, measure_on_page, open_page
from harness.devices.browser.server import PageServer
from harness.devices.browser.use import measure_processor_use, read_processor_time
from harness.devices.host.device import Host
from harness.errors import UsageError
from harness.records.run import Conditions, DeviceInfo

KIND = "browser"
LOCAL = True
# For Chromium to open a page.
OPEN_S = 60.0


def find() -> list[Found]:
    program = find_chromium()
    state = "ready" if program is not None else explain_missing()
    return [
        Found(
            kind=KIND,
            id=platform.node() or KIND,
            description=f"{program or 'Chromium'} on this computer, without a window; or any browser by -d {KIND}:{LINK}",
            state=state,
            alone=True,
        )
    ]


def open_device(device_id: str | None) -> Device:
    if device_id in (LINK, LAN):
        return LinkedBrowser(lan=device_id == LAN)
    if device_id in (None, platform.node(), KIND):
        return LocalBrowser()
    raise UsageError(f"there is no browser {device_id!r}; write -d {KIND}, -d {KIND}:{LINK}, or -d chrome:SERIAL.")


class LocalBrowser:
    """Runs pages in one Chromium; the computer's conditions are the host's."""

    metric: Literal["latency", "instructions"] = "latency"
    simulated: str | None = None

    def __init__(self) -> None:
        self._host = Host()
        self._stack = ExitStack()
        self._page: OpenPage | None = None
        self._pid = 0

    @property
    def info(self) -> DeviceInfo:
        return self._host.info.model_copy(update={"kind": KIND})

    def find_unsupported(self, variant: Variant) -> str | None:
        return find_refusal(variant, self._page)

    def conditions(self) -> Conditions:
        return self._host.conditions()

    def measure(self, request: Request) -> Measured:
        before = read_processor_time(self._pid)
        result = measure_on_page(self._page, request)
        return replace(result, processor_use=measure_processor_use(before, read_processor_time(self._pid)))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            server = stack.enter_context(PageServer())
            started = stack.enter_context(start_chromium())
            started.devtools.open_tab(server.url())
            self._page = open_page(server, "Chromium", within_s=OPEN_S, cure="run again")
            self._pid = started.pid
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
