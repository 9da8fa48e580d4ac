"""What a person sees while a command works: one line a step on a terminal, and nothing that a program would have to skip."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from builder.command_line import print_document

messages = Console(stderr=True, highlight=False)
# In a pipe or a log a table keeps its columns instead of folding at 80.
results = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@dataclass(kw_only=True)
class Terminal:
    """A `steps.Listener` that draws. On no terminal it prints a line for each finished step."""

    progress: Progress | None
    quiet: bool
    tasks: dict[str, int] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def stage(self, step: str, text: str) -> None:
        with self.guard:
            self.started.setdefault(step, time.monotonic())
            if self.progress is not None:
                task = self.tasks.get(step)
                if task is None:
                    task = self.tasks[step] = self.progress.add_task(step, total=None, stage=text)
                self.progress.update(task, stage=text)  # type: ignore[arg-type]

    def finish(self, step: str, *, cached: bool) -> None:
        with self.guard:
            start = self.started.pop(step, None)
            how = "unchanged" if cached or start is None else f"{time.monotonic() - start:.1f} s"
            task = self.tasks.pop(step, None)
            if self.progress is not None and task is not None:
                self.progress.remove_task(task)  # type: ignore[arg-type]
            if not self.quiet:
                messages.print(f"  {step}: {how}")

    def warn(self, text: str) -> None:
        with self.guard:
            if not self.quiet:
                messages.print(Text(f"warning: {text}"))


@contextmanager
def listening(*, quiet: bool) -> Iterator[Terminal]:
    """A listener for the time of one command."""
    if quiet or not sys.stderr.isatty():
        yield Terminal(progress=None, quiet=quiet)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("[dim]{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as progress:
        yield Terminal(progress=progress, quiet=False)


def print_json(value: object, kind: Any, *, named: str = "") -> None:
    """One JSON object on stdout: `value` as pydantic writes an object of this type, a list by its name."""
    data = TypeAdapter(kind).dump_python(value, mode="json", by_alias=True)
    print_document({named: data} if named else data)


def print_line(text: str) -> None:
    """One line as it is: no markup, no folding."""
    results.print(text, markup=False, soft_wrap=True)


def table(title: str, *columns: str) -> Table:
    """A table whose columns named with a trailing '>' hold numbers and are right-aligned."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return made


def add_row(rows: Table, *cells: str) -> None:
    """One row; what looks like markup in a cell, such as `edgebundle[tflite]`, is shown as it is."""
    rows.add_row(*(Text(cell) for cell in cells))


def size(count: int) -> str:
    """Bytes for people: exact below 100 kB, as file managers show it above."""
    if count < 100_000:
        return f"{count:,} B"
    return f"{count / 1e6:.2f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"
