"""train.html: how a training went, its styles, and what the network makes of the evaluation pictures, which it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from builder.bundle.page import make_document
from builder.bundle.pictures import read_rgb
from builder.bundle.tensors import encode_png
from builder.pipeline.curves import STYLE, draw_figure, plot_losses
from builder.training.result import TrainReport

# The longer side of a style picture on the page.
SHOWN = 256


def render_page(report: TrainReport, styles: Sequence[Path], pictures: Path) -> str:
    """One file that shows everything; `pictures` holds `NNNN-before.png` and `NNNN-after.png`."""
    parts = [
        f"<h1>{escape(report.name)}, trained</h1>",
        _facts(report),
        plot_losses("Loss", report.losses, report.steps),
        plot_losses("Loss on crops that no step saw", report.looks, report.steps) if report.looks else "",
        "<h2>Styles</h2>" if styles else "",
        *(draw_figure(path.name, _small(path)) for path in styles),
        "<h2>Pictures that no step saw</h2>",
        *_pairs(pictures),
    ]
    return make_document(f"{report.name}, trained", "".join(parts), style=STYLE, zoom=True)


def _facts(report: TrainReport) -> str:
    settings = report.settings
    rows = {
        "parameters": f"{report.parameters:,}",
        "photographs": f"{report.pictures}",
        "steps": f"{report.steps:,} of {settings.steps:,}, {settings.batch} pictures of {settings.crop} pixels each",
        "time": f"{report.seconds:.0f} s, {report.processes} x {report.threads} threads",
        "seed": f"{settings.seed}",
        **{f"loss: {name}": f"{value:.4f}" for name, value in report.terms.items()},
    }
    cells = "".join(f"<tr><td>{escape(name)}</td><td class=n>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def _small(path: Path) -> bytes:
    picture = read_rgb(path)
    picture.thumbnail((SHOWN, SHOWN))
    return encode_png(np.asarray(picture, np.uint8))


def _pairs(pictures: Path) -> list[str]:
    pairs = []
    for before in sorted(pictures.glob("*-before.png")):
        after = before.with_name(before.name.replace("before", "after"))
        number = int(before.name[:4]) + 1
        pairs += [
            draw_figure(f"sample {number}", before.read_bytes()),
            draw_figure("the network's", after.read_bytes()),
            "<br>",
        ]
    return pairs
