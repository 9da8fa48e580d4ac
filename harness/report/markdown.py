"""A report as Markdown, for a pull-request comment."""

from __future__ import annotations

from harness.report.model import Chapter, Entry, Report
from harness.report.text import DASH, decibel, device_label, golden_text, headline, interval, milliseconds, size


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
    return "\n".join([*lines, *(_row(entry) for entry in chapter.entries), ""])


def _row(entry: Entry) -> str:
    run, summary = entry.run, entry.summary
    cells = (
        run.variant,
        device_label(run) + (f" ({run.simulated})" if run.simulated else ""),
        size(run.variant_bytes),
        decibel(entry.variant.quality.psnr_db_worst) if entry.variant else DASH,
        headline(run, summary),
        interval(summary.low, summary.high) if summary else DASH,
        milliseconds(summary.p90) if summary else DASH,
        golden_text(run),
        run.verdict,
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Text that cannot break out of its table cell or become markup."""
    flat = " ".join(text.split())
    for character in "\\`*_[]<>|":
        flat = flat.replace(character, "\\" + character)
    return flat
