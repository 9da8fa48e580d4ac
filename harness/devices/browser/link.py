"""A browser that opens a link: any phone or computer, iPhones too. Loopback alone, unless this network is asked for by `--lan`."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from types import TracebackType
from typing import Literal, Self

from builder.bundle import Variant
from harness.devices.base import Measured, Request
from harness.devices.browser.certificate import draw_qr_code, make_certificate, make_tls_context
from harness.devices.browser.listener import find_network_address
from harness.devices.browser.names import find_system
from harness.devices.browser.page import OpenPage, find_refusal, measure_on_page, open_page
from harness.devices.browser.server import PageServer
from harness.errors import DeviceError
from harness.records.run import Conditions, DeviceInfo, Reading, TextReading

log = logging.getLogger(__name__)
LINK, LAN = "link", "lan"
# For a person to open the link.
OPEN_S = 300.0
UNTOLD = "a browser does not tell a page"


class LinkedBrowser:
    """Whatever opens the link first. Its conditions are unknown: a browser tells a page none."""

    metric: Literal["latency", "instructions"] = "latency"
    simulated: str | None = None

    def __init__(self, *, lan: bool, open_s: float = OPEN_S) -> None:
        self._lan, self._open_s = lan, open_s
        self._stack = ExitStack()
        self._page: OpenPage | None = None

    @property
    def info(self) -> DeviceInfo:
        if self._page is None:
            raise DeviceError("no browser has opened the link; use the device in a 'with' block.")
        hello = self._page.hello
        return DeviceInfo(
            kind="browser",
            id=f"{LINK}-{hello.name}",
            model=_text(hello.model),
            soc=_text(None),
            os=_text(find_system(hello.agent)),
            build=_text(hello.agent),
            abi=_text(hello.architecture),
        )

    def find_unsupported(self, variant: Variant) -> str | None:
        return find_refusal(variant, self._page)

    def conditions(self) -> Conditions:
        return Conditions(
            temperature_c=Reading(unit="degC", reason=UNTOLD),
            thermal_status=Reading(unit="status", reason=UNTOLD),
            battery_percent=Reading(unit="%", reason=UNTOLD),
            charging=_text(None),
        )

    def measure(self, request: Request) -> Measured:
        return measure_on_page(self._page, request)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            server = self._start(stack)
            cure = "run again, and open the link at once"
            self._page = open_page(server, "a browser", within_s=self._open_s, cure=cure)
            self._stack = stack.pop_all()
        return self

    def _start(self, stack: ExitStack) -> PageServer:
        """Raises MissingToolError without the extra, UsageError without a network."""
        if not self._lan:
            server = stack.enter_context(PageServer())
            log.warning("open %s in a browser of this computer; '--lan' lets phones of this network in", server.url())
            return server
        host = find_network_address()
        made = make_certificate(host)
        server = stack.enter_context(PageServer(host, tls=make_tls_context(made)))
        log.warning(
            "a link for the phone\n%s\nopen %s on it, in this network, within %g s. The browser warns of the certificate, which was made "
            "now: go on where its SHA-256 begins with %s",
            *(draw_qr_code(server.url()), server.url(), self._open_s, made.fingerprint),
        )
        return server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _text(value: str | None) -> TextReading:
    return TextReading(reason=UNTOLD) if value is None else TextReading(value=value)
