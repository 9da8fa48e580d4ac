"""Chromium on this computer without a window, with a profile of its own that is thrown away."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder import process
from harness.clock import pause
from harness.devices.browser.devtools import DevTools
from harness.errors import DeviceError, MissingToolError

PROGRAM = "EDGEBUNDLE_CHROMIUM"  # environment: another browser of its kind than the one on PATH
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# A first start on a slow machine, which makes a profile.
START_S = 60.0
# The file is there within a second: so often a start is not held up.
LOOK_S = 0.05
FLAGS = (
    "--headless", "--remote-debugging-port=0", "--remote-debugging-address=127.0.0.1", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-quic",
    "--mute-audio",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Started:
    """A running Chromium: its DevTools with their port, and its process."""

    devtools: DevTools
    port: int
    pid: int


def find_chromium() -> Path | None:
    """The program that $EDGEBUNDLE_CHROMIUM names, else the first on PATH."""
    if named := os.environ.get(PROGRAM):
        return Path(named) if Path(named).is_file() else None
    paths = (process.find(name) for name in NAMES)
    return next((Path(path) for path in paths if path is not None), None)


def explain_missing() -> str:
    """Why there is none, with what helps."""
    if named := os.environ.get(PROGRAM):
        return f"${PROGRAM} names {named}, which does not exist; correct it, or unset it"
    return f"no Chromium or Chrome is on PATH; install one, or set ${PROGRAM} to its program"


@contextmanager
def start_chromium() -> Iterator[Started]:
    """A Chromium that ends with the block. Raises MissingToolError and DeviceError."""
    program = find_chromium()
    if program is None:
        raise MissingToolError(f"{explain_missing()}.")
    with tempfile.TemporaryDirectory(prefix="edgebundle-chromium-", ignore_cleanup_errors=True) as name:
        profile, log = Path(name) / "profile", Path(name) / "log"
        # Chromium's sandbox does not work for the user root, who is in containers; it opens our own page alone.
        root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        argv = [program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
        with process.run_beside(argv, log=log) as pid:
            port = _port(profile, log, program)
            devtools = DevTools(port, str(program))
            devtools.wait(START_S)
            yield Started(devtools=devtools, port=port, pid=pid)


def _port(profile: Path, log: Path, program: Path) -> int:
    """Where DevTools listen, which Chromium writes once it does."""
    told, deadline = profile / "DevToolsActivePort", time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            first = told.read_text(encoding="ascii").split("\n", 1)[0]
        except (OSError, UnicodeDecodeError):
            first = ""
        if first.isdecimal():
            return int(first)
        pause(LOOK_S)
    said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-300:] or "it said nothing"
    raise DeviceError(f"{program} did not start within {START_S:g} s ({said}); try it with '{program} --headless'.")
