"""Comparisons for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.comparison import Comparison
from harness.report.model import summary_of
from harness.report.text import DASH, headline

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"faster": "green", "fewer instructions": "green", "slower": "red", "more instructions": "red"}


def comparison_table(found: tuple[Comparison, ...]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("variant", "device"):
        table.add_column(heading, overflow="fold")
    for heading in ("base", "new", "new / base", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for entry in found:
        label = escape(entry.device) + (f"\n[dim]{escape(entry.new.simulated)}[/dim]" if entry.new.simulated else "")
        colour = COLOURS.get(entry.verdict.partition(" (")[0], "yellow" if entry.refused else "default")
        table.add_row(
            escape(entry.variant),
            label,
            headline(entry.base, summary_of(entry.base)),
            headline(entry.new, summary_of(entry.new)),
            _ratio(entry),
            f"{entry.ratio.low:.3f} {DASH} {entry.ratio.high:.3f}"
            if entry.ratio
            else "exact"
            if entry.instructions
            else "",
            f"[{colour}]{escape(entry.verdict)}[/{colour}]",
        )
    return table


def comparison_json(found: tuple[Comparison, ...]) -> dict[str, object]:
    return {
        "comparisons": [
            {
                "variant": entry.variant,
                "device": entry.device,
                "base": entry.base.id,
                "new": entry.new.id,
                "simulated": entry.new.simulated,
                "refused": entry.refused,
                "ratio": asdict(entry.ratio) if entry.ratio else None,
                "instructions": entry.instructions,
                "verdict": entry.verdict,
            }
            for entry in found
        ]
    }


def _ratio(entry: Comparison) -> str:
    if entry.ratio is not None:
        return f"{entry.ratio.value:.3f}"
    if entry.instructions is not None and entry.instructions[0]:
        return f"{entry.instructions[1] / entry.instructions[0]:.6f}"
    return ""
