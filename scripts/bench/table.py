"""What every topic of the benchmark shares: its rows, running a command of ours, and the printed table."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LIMIT_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: what was asked, what was measured, and the same for the usual way where there is one."""

    what: str
    figure: str
    measured: str
    reached: bool
    instead: str = ""


def run(*words: str | Path, cache: Path | None = None) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds and result of one command of ours; a failure ends the benchmark with its message."""
    environment = {**os.environ, **({"EDGEBUNDLE_CACHE": str(cache)} if cache else {})}
    start = time.perf_counter()
    done = subprocess.run(
        [str(BIN / str(words[0])), *map(str, words[1:])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - start, done


def time_best_of(count: int, *words: str | Path, cache: Path | None = None) -> float:
    return min(run(*words, cache=cache)[0] for _ in range(count))


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table on stdout."""
    table = Table(title=title, box=None, title_justify="left", header_style="bold", pad_edge=False)
    for column in ("what", "figure", "measured", "reached", "what a user would run instead"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.what, row.figure, row.measured, "yes" if row.reached else "NO", row.instead)
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)
