"""What holds for every test: its surroundings, its seeds, and that no process which it started outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from builder.process import kill_tree
from builder.workers import servers

ROOT = Path(__file__).resolve().parents[1]
DURATIONS = ROOT / "tests" / "durations.json"
# These are started once, by whichever test comes first, and serve all others; they end with the session.
SHARED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "fork-server server")


def surroundings() -> None:
    """Signals are heard and files are readable, however the session was started: what a program ignores all its children ignore too.

    A shell ignores SIGINT for what it starts with `&`, and nohup SIGHUP; a closed terminal still does not end the session itself.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)
    os.umask(0o022)


def seed() -> None:
    """The same draws in every run, whichever tests came before."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def children() -> set[int]:
    """The processes that this one started and that still run. Cheap: it is asked for around every test."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread ended
            found.update(int(pid) for pid in (task / "children").read_text().split())
    return found


def end_leftovers(started: Iterable[int]) -> Iterator[str]:
    """Kill those of these processes that still run, with all that they started; what they were."""
    kept = {kept.process.pid for kept in servers._own}
    for pid in set(started) & children() - kept:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            line = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and not any(word in line for word in SHARED):
                kill_tree(pid)
                yield line[:200]


def put_longest_first(files: Iterable[str]) -> list[str]:
    """Test files by how long they took when somebody looked, those that nobody has timed last, by name."""
    known: dict[str, float] = json.loads(DURATIONS.read_text(encoding="utf-8"))
    return sorted(dict.fromkeys(files), key=lambda file: (-known.get(file, 0), file))


def keep_durations(seconds: Mapping[str, float]) -> None:
    """Write what these files took, and leave what is known of the others."""
    known: dict[str, float] = json.loads(DURATIONS.read_text(encoding="utf-8"))
    known |= {file: round(taken) for file, taken in seconds.items() if taken >= 1}
    kept = {
        file: known[file] for file in sorted(known, key=lambda file: (-known[file], file)) if (ROOT / file).is_file()
    }
    DURATIONS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
