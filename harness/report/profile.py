"""Time by layer: for the terminal, and as a part of the HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from harness.records.profile import LayerTime, Profile
from harness.report.text import DASH, format_decibel, format_milliseconds

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("layer", "op", "time", "share", "scheme", "damage", "kernel")
NUMBERS = ("time", "share", "damage")


def profile_table(profile: Profile) -> Table:
    """Operators in order of execution."""
    from rich.markup import escape as plain

    from builder.command_line import console

    table = console.make_table("", *(f"{heading}>" if heading in NUMBERS else heading for heading in HEADINGS))
    for row in profile.operators:
        cells = [plain(cell) for cell in _cells(row)]
        table.add_row(*cells, style="" if row.layer is not None else "dim")
    return table


def make_title(profile: Profile) -> str:
    label = f" ({profile.simulated})" if profile.simulated else ""
    return (
        f"{profile.variant} on {profile.device}{label}: {format_milliseconds(profile.total_ns)} in {len(profile.operators)} operators, "
        f"{profile.runtime} {profile.runtime_version}, {profile.threads} thread{'s' if profile.threads > 1 else ''}, "
        f"median of {profile.inferences} inferences"
    )


def profile_html(profiles: Sequence[Profile]) -> str:
    """A section for each profile; the longest operators are seen by their bars."""
    return "".join(_section(profile) for profile in profiles)


def _section(profile: Profile) -> str:
    head = "".join(f'<th class="n">{name}' if name in NUMBERS else f"<th>{name}" for name in HEADINGS)
    unnamed = f'<p class="note">Layers have no names here: {escape(profile.unnamed)}.</p>' if profile.unnamed else ""
    return (
        f'<details class="profile" open><summary>Time by layer on {escape(profile.device)}</summary>'
        f'<p class="note">{escape(make_title(profile))}</p>{unnamed}'
        f'<div class="scroll"><table class="compact"><thead><tr>{head}</thead><tbody>'
        + "".join(_row(row, profile) for row in profile.operators)
        + "</tbody></table></div></details>"
    )


def _row(row: LayerTime, profile: Profile) -> str:
    longest = max(entry.share for entry in profile.operators)
    width = 100 * row.share / longest if longest else 0
    layer, op, time, share, scheme, damage, kernel = (escape(cell) for cell in _cells(row))
    name = f'<th scope="row"><code>{layer}</code>' if row.layer is not None else f'<th scope="row" class="why">{layer}'
    bar = f'<span class="share"><i style="width:{width:.1f}%"></i></span>'
    return f'<tr>{name}<td>{op}<td class="n">{time}<td class="n">{share}{bar}<td>{scheme}<td class="n">{damage}<td class="why">{kernel}'


def _cells(row: LayerTime) -> tuple[str, ...]:
    damage = DASH if row.damage_db is None else f"{format_decibel(row.damage_db)} in {row.damage_in}"
    return (
        row.layer or DASH,
        row.op,
        format_milliseconds(row.ns),
        f"{row.share:.1%}",
        row.realised or DASH,
        damage,
        row.kernel,
    )
