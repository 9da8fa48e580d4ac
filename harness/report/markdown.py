"""A report as Markdown, for a pull-request comment."""

from __future__ import annotations

from harness.analysis.grouping import label_device
from harness.analysis.throttling import rank_lasting
from harness.report.matrix import make_matrix
from harness.report.model import Chapter, Entry, Report
from harness.report.text import (
    DASH,
    describe_golden,
    format_decibel,
    format_headline,
    format_interval,
    format_milliseconds,
    format_significant,
    format_size,
)


def render(report: Report) -> str:
    parts = [_chapter(chapter) for chapter in report.chapters]
    if report.left_out:
        parts.append(f"{report.left_out} runs of earlier builds are left out.\n")
    return "\n".join(parts)


def _chapter(chapter: Chapter) -> str:
    lines = [
        f"## {_cell(chapter.model_name)}",
        "",
        f"Bundle `{chapter.bundle_sha256[:12]}`, {len(chapter.entries)} runs.",
        "",
        "| variant | device | size | PSNR worst | median | 95 % interval | p90 | golden | verdict |",
        "|---|---|--:|--:|--:|--:|--:|---|---|",
    ]
    rows = [_row(entry) for entry in chapter.entries if not entry.run.protocol.sustained]
    return "\n".join([*lines, *rows, *_matrix(chapter), *_lasting(chapter), *_changes(chapter), ""])


def _matrix(chapter: Chapter) -> list[str]:
    """Devices by variants, where there are several of both."""
    matrix = make_matrix(chapter.entries, {})
    if matrix is None:
        return []
    lines = [
        "",
        "| " + " | ".join(_cell(name) for name in ("device", *matrix.variants)) + " |",
        "|---|" + "--:|" * len(matrix.variants),
    ]
    for row in matrix.rows:
        label = row.device + (f" ({row.simulated})" if row.simulated else "")
        cells = [" ".join(filter(None, (cell.time, cell.factor))) for cell in row.cells]
        lines.append("| " + " | ".join(_cell(cell) for cell in (label, *cells)) + " |")
    return [*lines, "", f"Factors are against {_cell(matrix.reference)} on the same device."]


def _row(entry: Entry) -> str:
    run, summary, level = entry.run, entry.summary, entry.level
    cells = (
        entry.name,
        label_device(run) + (f" ({run.simulated})" if run.simulated else ""),
        format_size(run.variant_bytes),
        format_decibel(entry.variant.quality.psnr_db_worst) if entry.variant else DASH,
        format_milliseconds(level.value) if level and level.between else format_headline(run, summary),
        _interval(entry),
        format_milliseconds(summary.p90) if summary else DASH,
        describe_golden(run),
        entry.verdict.text,
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _interval(entry: Entry) -> str:
    if entry.level is not None and entry.level.between:
        return f"{format_interval(entry.level.low, entry.level.high)}, {entry.level.rounds} rounds"
    return format_interval(entry.summary.low, entry.summary.high) if entry.summary else DASH


def _lasting(chapter: Chapter) -> list[str]:
    """Who is fast at first and who after the heat."""
    ranked = rank_lasting(entry.run for entry in chapter.entries if entry.run.protocol.sustained)
    if not ranked:
        return []
    verdicts = {entry.run.id: entry.verdict.text for entry in chapter.entries}
    lines = [
        "",
        "| under lasting load | device | minute 1 | last minute | sustained / peak | verdict |",
        "|---|---|--:|--:|--:|---|",
    ]
    for run, shown in ranked:
        cells = (
            run.variant,
            label_device(run) + (f" ({run.simulated})" if run.simulated else ""),
            f"{format_significant(shown.first_minute)} / s",
            f"{format_significant(shown.last_minute)} / s",
            f"{shown.sustained_ratio:.0%}",
            verdicts[run.id],
        )
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return lines


def _changes(chapter: Chapter) -> list[str]:
    lines = [
        f"- {_cell(change.variant)}, {change.way.words}, on {_cell(change.device)}: {_cell(change.words)}."
        for change in chapter.changes
    ]
    return ["", "Changed for good, in the history of the store:", "", *lines] if lines else []


def _cell(text: str) -> str:
    """Text that cannot break out of its table cell or become markup."""
    flat = " ".join(text.split())
    for character in "\\`*_[]<>|":
        flat = flat.replace(character, "\\" + character)
    return flat
