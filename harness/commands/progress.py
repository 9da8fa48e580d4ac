"""What a person sees while variants are measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import rich.progress
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from builder.command_line.console import messages

if TYPE_CHECKING:
    from harness.session.outcome import Step


class Progress:
    """A progress bar on stderr while the variants are measured, which a log does not get; a device that is waited for is told in any case."""

    def __init__(self, args: argparse.Namespace) -> None:

        self._bars = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=messages,
            transient=True,
            disable=args.quiet or args.json or not sys.stderr.isatty(),
        )
        self._task = self._bars.add_task("measuring", total=None)
        self._quiet: bool = args.quiet

    def __enter__(self) -> Callable[[Step], None]:
        self._bars.start()
        return self._show_step

    def _show_step(self, step: Step) -> None:
        if step.waiting is not None and not self._quiet:
            messages.print(
                f"{step.device}: {step.waiting}", markup=False, soft_wrap=True
            )  # above the bar, where there is one
        self._bars.update(
            self._task, description=f"{step.variant} on {step.device}", completed=step.index, total=step.total
        )

    def __exit__(self, *rest: object) -> None:
        self._bars.stop()
