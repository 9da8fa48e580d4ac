"""Runs as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.grouping import label_device, label_variants
from harness.analysis.trends import Change
from harness.records.run import Run
from harness.report.model import summarize_run
from harness.report.text import (
    describe_golden,
    format_headline,
    format_interval,
    format_milliseconds,
    format_moment,
    format_size,
)

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"ok": "green", "unstable": "yellow", "invalid": "red"}


def runs_table(runs: list[Run]) -> Table:
    """One row a run. The simulated label is part of the device's cell, so that no row can lose it."""
    from rich.markup import escape

    from builder.command_line import console

    # of this run alone: how a run differs from the next, 'check' and 'report' tell over rounds
    table = console.make_table(
        "",
        "variant",
        "device",
        "session, round, start",
        "size>",
        "result>",
        "95 % in the run>",
        "p90>",
        "golden",
        "verdict",
    )
    labels = label_variants(runs)
    for run in runs:
        summary = summarize_run(run)
        device = escape(label_device(run)) + (f"\n[dim]{escape(run.simulated)}[/dim]" if run.simulated else "")
        colour = COLOURS[run.verdict.grade]
        table.add_row(
            escape(labels[run.id]) + (" [dim](baseline)[/dim]" if run.baseline else ""),
            device,
            _when(run),
            format_size(run.variant_bytes),
            format_headline(run, summary),
            format_interval(summary.low, summary.high) if summary else "",
            format_milliseconds(summary.p90) if summary else "",
            describe_golden(run),
            f"[{colour}]{escape(run.verdict.words)}[/{colour}]",
        )
    return table


def make_changes_table(found: list[Change]) -> Table:
    """One row for each lasting change, the newest first."""
    from builder.command_line import console

    table = console.make_table("changed for good", "variant", "way", "device", "change")
    for change in found:
        console.add_row(table, change.variant, change.way.words, change.device, change.words)
    return table


def _when(run: Run) -> str:
    """The beginning of the session's name, the turn in it, and the time."""
    turn = f"{run.session[:8]} {run.round or 0}" if run.session is not None else "-"
    return f"{turn}\n[dim]{format_moment(run.started_at)}[/dim]"
