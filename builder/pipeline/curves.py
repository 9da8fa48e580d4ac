"""Plots and pictures that the pages of training share."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

# Pixels: half a page wide, with room for the axes' numbers.
WIDTH, HEIGHT, MARGIN = 640, 300, 50
STYLE = """
body{max-width:1000px}svg{max-width:100%;height:auto}figure{display:inline-block;margin:0 1em 1em 0}figure img{width:256px}
"""


def plot_losses(title: str, losses: Sequence[float], steps: int) -> str:
    """Losses over the steps of a training."""
    top = max(losses) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(len(losses) - 1, 1)
    line = " ".join(
        f"{MARGIN + step * number:.1f},{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (loss / top) ** 0.5:.1f}"
        for number, loss in enumerate(losses)
    )
    drawn = f'<polyline points="{line}" fill="none" stroke="#1a7f37"/>'
    return draw_plot(title, drawn, f"{steps} steps", f"root of the loss, up to {top:.3g}")


def draw_plot(title: str, inside: str, below: str, beside: str) -> str:
    """A heading and a plot with its axes; `inside` is SVG."""
    axes = f'<path d="M{MARGIN} {MARGIN / 2} V{HEIGHT - MARGIN} H{WIDTH - MARGIN / 2}" fill="none" stroke="#888"/>'
    words = f'<text x="{MARGIN}" y="{HEIGHT - 20}">{escape(below)}</text><text x="4" y="14">{escape(beside)}</text>'
    return f'<h2>{escape(title)}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{axes}{inside}{words}</svg>'


def draw_figure(words: str, content: bytes) -> str:
    """A PNG with its caption, inside the page."""
    data = base64.b64encode(content).decode()
    return f'<figure><img alt="{escape(words)}" src="data:image/png;base64,{data}"><figcaption>{escape(words)}</figcaption></figure>'
