"""Verdicts of sessions for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.grouping import label_device, label_variants
from harness.analysis.session_verdict import SessionVerdict
from harness.report.model import summarize_run
from harness.report.terminal import COLOURS
from harness.report.text import describe_golden, format_headline, format_size

if TYPE_CHECKING:
    from rich.table import Table


def make_verdicts_table(verdicts: Sequence[SessionVerdict]) -> Table:
    """One row for each variant on each device; the numbers are those of the run that decides."""
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table("", "variant", "device", "size>", "result>", "rounds>", "good>", "golden", "verdict")
    labels = label_variants(verdict.decides for verdict in verdicts)
    for verdict in verdicts:
        run = verdict.decides
        device = escape(label_device(run)) + (f"\n[dim]{escape(run.simulated)}[/dim]" if run.simulated else "")
        colour = COLOURS[verdict.grade]
        table.add_row(
            escape(labels[run.id]),
            device,
            format_size(run.variant_bytes),
            format_headline(run, summarize_run(run)),
            str(len(verdict.runs)),
            str(len(verdict.good)),
            describe_golden(run),
            f"[{colour}]{escape(verdict.text)}[/{colour}]",
        )
    return table


def make_verdict_json(verdict: SessionVerdict) -> dict[str, object]:
    return {
        "variant": verdict.group.variant,
        "device": verdict.decides.device.id,
        "kind": verdict.decides.device.kind,
        "mode": verdict.decides.mode,
        "threads": verdict.decides.threads,
        "cores": verdict.decides.cores,
        "protocol": verdict.decides.protocol.name,
        "simulated": verdict.decides.simulated,
        "session": verdict.decides.session,
        "verdict": verdict.text,
        "grade": verdict.grade,
        "exit_code": verdict.exit_code,
        "rounds": len(verdict.runs),
        "good": len(verdict.good),
        "faults": dict(verdict.counts),
        "run": verdict.decides.id,
    }
