"""Looking at the processes of the builder from outside: its workers, and all that it started."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from builder.workers.messages import LOG
from builder.workers.servers import CHOICE

WAIT_S = 120.0


def make_own_servers(cache: Path, **more: str) -> dict[str, str]:
    """Surroundings in which a command keeps its results in `cache` and starts servers of its own."""
    return {
        **{name: value for name, value in os.environ.items() if name != CHOICE},
        "EDGEBUNDLE_CACHE": str(cache),
        **more,
    }


def find_workers(cache: Path) -> list[int]:
    """Workers that are at a job below this directory: their output goes there."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):  # it ended, or is another user's
            output = Path(os.readlink(f"/proc/{pid}/fd/1"))
            if output.is_relative_to(cache) and output.name == LOG:
                found.append(pid)
    return found


def find_processes(cache: Path) -> list[int]:
    """Every process that was started, by whomever, with results in `cache`: commands, servers, workers and their tools."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("EDGEBUNDLE_CACHE") == str(cache) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def wait_until(condition: Callable[[], object], what: str, limit_s: float = WAIT_S) -> None:
    """Poll until it holds; a failure after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
