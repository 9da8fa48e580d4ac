"""What a person sees while a command works: one line a step on a terminal, and nothing that a program would have to skip."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from builder.command_line.console import messages


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
