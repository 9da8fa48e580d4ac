"""Killed server, killed worker, full memory, Ctrl-C, each at random moments of `builder convert`: what is left, and what is told.

A moment is drawn from a fixed seed. `EDGEBUNDLE_MOMENTS=5` looks at fewer than twenty.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

from builder.bundle import Bundle
from builder.errors import BundleError
from tests.builder.processes import find_processes, find_workers, make_own_servers
from tests.builder.projects import make_project

MOMENTS = int(os.environ.get("EDGEBUNDLE_MOMENTS", "20"))
LIMIT_S, ENDED_S = 900.0, 60.0
TELLING = (0, 2, 4, 130)  # exit codes of a build that ended by itself


@dataclass(frozen=True, kw_only=True)
class Case:
    """A build in a folder of its own."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def out(self) -> Path:
        return self.folder / "bundle"


def build(case: Case, harm: Callable[[Case, subprocess.Popen[str]], None], after_s: float, limits: str = "") -> str:
    """What is wrong after a build that was harmed after so many seconds, empty if nothing is."""
    project = make_project(case.folder / "project")
    with (project / "builder.toml").open("a", encoding="utf-8") as config:
        config.write('[[variant]]\nbackend = "executorch"\ndelegate = "xnnpack"\nscheme = "fp32"\n' + limits)
    words = [sys.executable, "-m", "builder", "convert", str(project), "-o", str(case.out), "-q"]
    process = subprocess.Popen(
        words, env=make_own_servers(case.cache), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + after_s
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    harm(case, process)
    _, told = process.communicate(timeout=LIMIT_S)
    end = time.monotonic() + ENDED_S
    while (left := find_processes(case.cache)) and time.monotonic() < end:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    wrong = [f"{len(left)} processes left"] if left else []
    if process.returncode not in TELLING or "Traceback" in told:
        wrong.append(f"ended with {process.returncode}: {told[-300:]}")
    if process.returncode and not told.startswith("builder: "):
        wrong.append(f"told {told[:200]!r}")
    try:
        whole = Bundle.open(case.out) is not None
    except BundleError:
        whole = False
    if whole != (process.returncode == 0):
        wrong.append("a bundle where there must be none" if whole else "no bundle, or half of one")
    return "; ".join(wrong)


def kill_server(case: Case, process: subprocess.Popen[str]) -> None:
    """Any server: the first one, or one that was forked out of it."""
    _kill([pid for pid in find_processes(case.cache) if pid not in (process.pid, *find_workers(case.cache))])


def kill_worker(case: Case, process: subprocess.Popen[str]) -> None:
    _kill(find_workers(case.cache))


def interrupt(case: Case, process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


def _kill(pids: list[int]) -> None:
    if pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(random.choice(pids)).kill()


def measure() -> list[Row]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a builder that inherits "ignore" cannot be interrupted
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        build(Case(folder=Path(folder)), lambda case, process: None, 0)
    whole_s = time.monotonic() - start
    random.seed(0)
    rows = []
    for what, harm in (
        ("killed server", kill_server),
        ("killed worker", kill_worker),
        ("full memory", None),
        ("Ctrl-C", interrupt),
    ):
        wrong = []
        for _ in range(MOMENTS):
            after_s = random.uniform(0.3, whole_s)
            limits = "" if harm else f"\n[limits]\nmemory_gb = {random.uniform(0.2, 1.5):.2f}\n"
            with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
                found = build(Case(folder=Path(folder)), harm or (lambda case, process: None), after_s, limits)
            print(f"{what} after {after_s:.1f} s: {found or 'well'}", file=sys.stderr, flush=True)
            wrong += [found] if found else []
        rows.append(
            Row(
                what=f"{what}: {MOMENTS} moments",
                figure="no orphan, no half-written file, typed error",
                measured=f"{MOMENTS - len(wrong)} of {MOMENTS}" + (f"; {wrong[0]}" if wrong else ""),
                reached=not wrong,
            )
        )
    return rows
