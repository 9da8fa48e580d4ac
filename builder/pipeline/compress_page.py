"""compress.html: what every stage did, the curve of quality over size, channels by layer, pictures against the trained network's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from builder.bundle.page import make_document
from builder.bundle.tensors import make_pixels
from builder.compression.result import CompressReport, Point, StageReport
from builder.pipeline.curves import HEIGHT, MARGIN, STYLE, WIDTH, draw_figure, draw_plot, plot_losses
from builder.quality.difference import compute_differences, encode_png
from builder.steps.source import SourceStep


def render_page(report: CompressReport, teacher: SourceStep, judged: Path) -> str:
    """One file that shows everything; `judged` holds what the exported file gave for evaluation samples."""
    verdict = "All budgets are met." if report.met else f"Not met: {report.unmet}."
    parts = [
        f"<h1>{escape(report.name)}, compressed</h1><p>{escape(verdict)}</p>",
        _table(report),
        _curve(report),
        *(plot_losses(f"Loss of {stage.stage}", stage.losses, stage.steps) for stage in report.stages if stage.losses),
        *(_pairs(stage) for stage in report.stages if stage.replaced),
        _cuts(report.stages),
        _pictures(teacher, judged),
    ]
    return make_document(f"{report.name}, compressed", "".join(parts), style=STYLE)


def _row(name: str, point: Point, more: str) -> str:
    figures = (f"{point.parameters:,}", f"{point.macs:,}", f"{point.psnr_db:.2f}", f"{point.psnr_db_mean:.2f}")
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td class=n>{figure}</td>' for figure in figures)}<td>{escape(more)}</td></tr>"


def _table(report: CompressReport) -> str:
    rows = [_row("the trained network", report.teacher, "")]
    for stage in report.stages:
        trained = f", {stage.steps} steps" if stage.steps else ""
        rows.append(_row(stage.stage, stage.after, f"{stage.seconds:.0f} s{trained}"))
    files = "".join(
        f"<p>The {escape(file.backend)} file ({escape(file.scheme)}): {file.bytes:,} bytes, {file.quality.psnr_db_worst} dB to the trained "
        f"network on the worst of {file.quality.images} samples, {file.quality.psnr_db_mean} dB on average.</p>"
        for file in report.files
    )
    head = "<tr><th></th><th class=n>parameters</th><th class=n>MACs</th><th class=n>worst dB</th><th class=n>mean dB</th><th></th></tr>"
    return f"<h2>Stages</h2><table>{head}{''.join(rows)}</table>{files}"


def _curve(report: CompressReport) -> str:
    points = [(stage.stage, stage.after.parameters, min(stage.after.psnr_db, 60.0)) for stage in report.stages]
    most = report.teacher.parameters
    xs = [MARGIN + (WIDTH - 2 * MARGIN) * parameters / most for _, parameters, _ in points]
    ys = [HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * max(quality, 0.0) / 60.0 for _, _, quality in points]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#2563eb"/><text x="{x + 6:.1f}" y="{y - 6:.1f}">{escape(name)} {quality:.1f} dB</text>'
        for (name, _, quality), x, y in zip(points, xs, ys, strict=True)
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return draw_plot(
        "Quality over parameters",
        f'<polyline points="{line}" fill="none" stroke="#2563eb"/>{dots}',
        "parameters, of the trained network's",
        "worst dB",
    )


def _pairs(stage: StageReport) -> str:
    rows = "".join(
        f"<tr><td>{escape(layer)}</td><td class=n>{missed:.2%}</td></tr>" for layer, missed in stage.replaced.items()
    )
    stayed = "".join(f"<li>{escape(layer)}: {escape(why)}</li>" for layer, why in stage.stayed.items())
    head = "<tr><th>layer</th><th class=n>of its variance missed at first</th></tr>"
    return f"<h2>Depthwise and pointwise instead</h2><table>{head}{rows}</table><p>These are as they were:</p><ul>{stayed}</ul>"


def _cuts(stages: Sequence[StageReport]) -> str:
    rows = [(cut, stage) for stage in stages for cut in stage.cut]
    if not rows:
        return ""
    cut = "".join(
        f"<tr><td>{escape(cut.layer)}</td><td class=n>{cut.before}</td><td class=n>{cut.after}</td></tr>"
        for cut, _ in rows
    )
    stayed = "".join(
        f"<li>{escape(layer)}: {escape(why)}</li>" for stage in stages for layer, why in stage.stayed.items()
    )
    head = "<tr><th>layer</th><th class=n>before</th><th class=n>after</th></tr>"
    return f"<h2>Channels</h2><table>{head}{cut}</table><p>These keep theirs:</p><ul>{stayed}</ul>"


def _pictures(teacher: SourceStep, judged: Path) -> str:
    specs = [spec for spec in teacher.result.outputs if spec.kind == "image"]
    if not specs:
        return ""
    figures = []
    for file in sorted((judged / "pictures").glob("*.npz")):
        with (
            np.load(file, allow_pickle=False) as got,
            np.load(teacher.folder / "reference" / file.name, allow_pickle=False) as want,
        ):
            small, whole = (make_pixels(values[specs[0].name], specs[0]) for values in (got, want))
        (difference,), times = (
            compute_differences({"small": small}, whole)[0].values(),
            compute_differences({"small": small}, whole)[1],
        )
        shown = (("trained", whole), ("compressed", small), (f"difference, {times} times", difference))
        figures += [draw_figure(f"sample {int(file.stem) + 1}: {words}", encode_png(pixels)) for words, pixels in shown]
        figures.append("<br>")
    return f"<h2>Pictures</h2>{''.join(figures)}"
