"""Parity of app and shell mode for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.analysis.mode_parity import BOUND, Parity
from harness.report.model import summarize_run
from harness.report.text import DASH, describe_golden, format_headline

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"parity": "green", "outputs differ": "red", "latency differs": "yellow"}


def make_parity_table(parities: tuple[Parity, ...]) -> Table:
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table(
        "", "variant", "phone", "shell>", "app>", "app / shell>", "95 % interval>", "golden, shell / app", "verdict"
    )
    for entry in parities:
        colour = COLOURS.get(entry.outcome, "yellow")
        table.add_row(
            escape(entry.variant),
            escape(entry.phone) + (f"\n[dim]{escape(entry.app.simulated)}[/dim]" if entry.app.simulated else ""),
            format_headline(entry.shell, summarize_run(entry.shell)),
            format_headline(entry.app, summarize_run(entry.app)),
            f"{entry.ratio.value:.3f}" if entry.ratio else "",
            f"{entry.ratio.low:.3f} {DASH} {entry.ratio.high:.3f}" if entry.ratio else "",
            f"{describe_golden(entry.shell)} / {describe_golden(entry.app)}",
            f"[{colour}]{entry.outcome}[/{colour}]: {escape(entry.why)}",
        )
    return table


def make_parity_json(parities: tuple[Parity, ...]) -> dict[str, object]:
    return {
        "bound": BOUND,
        "parity": [
            {
                "variant": entry.variant,
                "phone": entry.phone,
                "app": entry.app.id,
                "shell": entry.shell.id,
                "simulated": entry.app.simulated,
                "outcome": entry.outcome,
                "why": entry.why,
                "ratio": asdict(entry.ratio) if entry.ratio else None,
                "causes": list(entry.causes),
            }
            for entry in parities
        ],
    }
