"""Comparisons for the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.analysis.comparison import Comparison
from harness.report.model import summarize_run
from harness.report.text import DASH, format_headline

if TYPE_CHECKING:
    from rich.table import Table

    from harness.analysis.gate import Decision
    from harness.analysis.one_sided import OneSided

OUTCOMES = {"within": "green", "regression": "red", "not precise enough": "yellow", "not comparable": "yellow"}
COLOURS = {"faster": "green", "fewer instructions": "green", "slower": "red", "more instructions": "red"}


def make_comparison_table(comparisons: tuple[Comparison, ...], alone: tuple[OneSided, ...] = ()) -> Table:
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table(
        "", "variant", "device", "base>", "new>", "new / base>", "95 % interval>", "p (Holm)>", "verdict"
    )
    for entry in comparisons:
        label = escape(entry.device) + (f"\n[dim]{escape(entry.new.simulated)}[/dim]" if entry.new.simulated else "")
        colour = COLOURS.get(entry.verdict.partition(" (")[0], "yellow" if entry.refused else "default")
        name = entry.variant if entry.variant == entry.against else f"{entry.variant} against {entry.against}"
        table.add_row(
            escape(name),
            label,
            format_headline(entry.base, summarize_run(entry.base)),
            format_headline(entry.new, summarize_run(entry.new)),
            _ratio(entry),
            f"{entry.ratio.low:.3f} {DASH} {entry.ratio.high:.3f}"
            if entry.ratio
            else "exact"
            if entry.instructions
            else "",
            format_p_value(entry.ratio.p_adjusted) if entry.ratio else "",
            f"[{colour}]{escape(write_verdict(entry))}[/{colour}]",
        )
    for one in alone:
        shown = format_headline(one.run, summarize_run(one.run))
        sides = (shown, "") if one.side == "base" else ("", shown)
        table.add_row(
            escape(one.variant), escape(one.device), *sides, "", "", "", f"[yellow]{escape(one.why)}[/yellow]"
        )
    return table


def make_comparison_json(comparisons: tuple[Comparison, ...]) -> dict[str, list[dict[str, object]]]:
    return {
        "comparisons": [
            {
                "variant": entry.variant,
                "against": entry.against,
                "device": entry.device,
                "base": entry.base.id,
                "new": entry.new.id,
                "simulated": entry.new.simulated,
                "refused": entry.refused,
                "left_out": list(entry.left_out),
                "ratio": asdict(entry.ratio) if entry.ratio else None,
                "instructions": entry.instructions,
                "verdict": entry.verdict,
            }
            for entry in comparisons
        ]
    }


def write_verdict(entry: Comparison) -> str:
    """The verdict with what it rests on."""
    basis = f", {entry.ratio.rounds} {entry.ratio.basis}" if entry.ratio and entry.ratio.basis != "one run" else ""
    left = f"; {len(entry.left_out)} run{'s' if len(entry.left_out) > 1 else ''} left out" if entry.left_out else ""
    return entry.verdict + basis + ("" if entry.refused else left)


def make_decision_table(decisions: tuple[Decision, ...], alone: tuple[OneSided, ...] = ()) -> Table:
    """What the gate made of each comparison."""
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table("", "variant", "device", "against the baseline", "why")
    for entry in decisions:
        colour = OUTCOMES[entry.outcome]
        label = escape(entry.comparison.device)
        if entry.comparison.new.simulated:
            label += f"\n[dim]{escape(entry.comparison.new.simulated)}[/dim]"
        table.add_row(
            escape(entry.comparison.variant), label, f"[{colour}]{entry.outcome}[/{colour}]", escape(entry.why)
        )
    for one in alone:
        word = "[yellow]missing[/yellow]" if one.side == "base" else "new"
        table.add_row(escape(one.variant), escape(one.device), word, escape(one.why))
    return table


def make_decision_json(decisions: tuple[Decision, ...]) -> list[dict[str, object]]:
    entries = make_comparison_json(tuple(entry.comparison for entry in decisions))["comparisons"]
    return [
        {**shown, "outcome": entry.outcome, "why": entry.why} for shown, entry in zip(entries, decisions, strict=True)
    ]


def make_one_sided_json(alone: tuple[OneSided, ...]) -> list[dict[str, object]]:
    return [
        {"variant": one.variant, "device": one.device, "side": one.side, "run": one.run.id, "why": one.why}
        for one in alone
    ]


def format_p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _ratio(entry: Comparison) -> str:
    if entry.ratio is not None:
        return f"{entry.ratio.value:.3f}"
    if entry.instructions is not None and entry.instructions[0]:
        return f"{entry.instructions[1] / entry.instructions[0]:.6f}"
    return ""
