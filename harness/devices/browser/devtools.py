"""Chrome's DevTools over HTTP (chromedevtools.github.io/devtools-protocol, 'HTTP Endpoints'): its version, a tab opened and closed."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from harness.clock import pause
from harness.errors import DeviceError, DeviceLost

# The browser is on this computer, or behind adb: what takes longer hangs.
CALL_S = 10.0
# Often enough that a start is not held up.
LOOK_S = 0.1
# Bytes: a list of pages is some kilobytes.
MOST = 1 << 20
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never behind a proxy


class DevTools:
    """The browser whose DevTools listen at a port of this computer's loopback."""

    def __init__(self, port: int, where: str) -> None:
        self._address, self._where = f"http://127.0.0.1:{port}", where

    def wait(self, timeout_s: float) -> str:
        """The browser's name and version, once it answers. Raises DeviceLost when it does not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return str(self._ask("/json/version").get("Browser", "unknown"))
            except DeviceError as error:
                if time.monotonic() > deadline:
                    raise DeviceLost(f"{str(error).rstrip('.')} within {timeout_s:g} s.") from error
            pause(LOOK_S)

    def open_tab(self, url: str) -> str:
        """Open a tab, bring it to the front, and give its id."""
        tab = str(self._ask(f"/json/new?{urllib.parse.quote(url, safe='')}", method="PUT").get("id"))
        self._ask(f"/json/activate/{urllib.parse.quote(tab, safe='')}")
        return tab

    def close_tab(self, tab: str) -> None:
        self._ask(f"/json/close/{urllib.parse.quote(tab, safe='')}")

    def _ask(self, path: str, *, method: str = "GET") -> dict[str, Any]:
        request = urllib.request.Request(self._address + path, method=method)
        try:
            with _OPENER.open(request, timeout=CALL_S) as answer:
                text = answer.read(MOST)
        except (OSError, urllib.error.URLError) as error:
            raise DeviceError(f"the DevTools of {self._where} did not answer ({error}).") from error
        try:
            said = json.loads(text)
        except ValueError:
            return {}  # 'Target activated' and such are no JSON
        return said if isinstance(said, dict) else {}
