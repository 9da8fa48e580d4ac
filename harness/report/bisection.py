"""Which build made a variant slower: for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.bisection import Bisection, Build
from harness.report.text import DASH, format_moment

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"found": "red", "range": "yellow", "undecided": "yellow", "no change": "green"}


def make_bisection_table(bisections: Sequence[Bisection]) -> Table:
    """A row for each variant on a device."""
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table(
        "", "variant", "device", "builds>", "last good build", "first slow build", "answer", "why"
    )
    for entry in bisections:
        answer = f"one of {entry.between + 1}" if entry.state == "range" else entry.state
        table.add_row(
            escape(entry.variant),
            escape(entry.device),
            str(entry.builds),
            _build(entry.good),
            _build(entry.bad),
            f"[{COLOURS[entry.state]}]{answer}[/{COLOURS[entry.state]}]",
            escape(entry.why),
        )
    return table


def make_bisection_json(entry: Bisection) -> dict[str, object]:
    """The same, with whole hashes."""
    return {
        "variant": entry.variant,
        "device": entry.device,
        "builds": entry.builds,
        "answer": entry.state,
        "good": None if entry.good is None else _identity(entry.good),
        "bad": None if entry.bad is None else _identity(entry.bad),
        "between": entry.between,
        "why": entry.why,
    }


def _identity(build: Build) -> dict[str, str]:
    run = build.run
    return {
        "bundle_sha256": run.bundle_sha256,
        "variant_sha256": run.variant_sha256,
        "started_at": run.started_at,
        "run": run.id,
    }


def _build(build: Build | None) -> str:
    return DASH if build is None else f"{build.name}\n[dim]{format_moment(build.run.started_at)}[/dim]"
