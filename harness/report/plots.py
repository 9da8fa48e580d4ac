"""Plots of latencies as inline SVG. Colours are CSS variables of the page, so that light and dark both work."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib needs real colours; each stands for one CSS variable and is replaced in the finished SVG
INK, FAINT, ACCENT, WARM = "#010101", "#020202", "#030303", "#040404"
VARIABLES = {INK: "var(--ink)", FAINT: "var(--line)", ACCENT: "var(--accent)", WARM: "var(--warm)"}


@dataclass(frozen=True, kw_only=True)
class Series:
    """Latencies of one run, in the order in which they were measured."""

    label: str
    latency_ns: tuple[int, ...]


def run_plot(series: Series) -> str:
    """Every sample twice: in the order of measurement, where drift shows, and as a distribution with its quartiles."""
    figure = _figure(10.2, 2.2)
    order, spread = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    values = np.asarray(series.latency_ns) / 1e6
    order.plot(
        np.arange(1, values.size + 1),
        values,
        linestyle="none",
        marker="o",
        markersize=2.6,
        color=ACCENT,
        alpha=0.7,
        markeredgewidth=0,
    )
    order.axhline(float(np.median(values)), color=WARM, linewidth=1)
    order.set_xlabel("sample, in order")
    order.set_ylabel("ms")
    spread.plot(
        _scatter(values.size) * 0.32,
        values,
        linestyle="none",
        marker="o",
        markersize=2.6,
        color=ACCENT,
        alpha=0.45,
        markeredgewidth=0,
    )
    _box(spread, values, position=0.75, vertical=True)
    spread.set_xlim(-0.5, 1.2)
    spread.set_xticks([0, 0.75], ["all samples", "quartiles"])
    spread.tick_params(axis="x", length=0)
    order.set_ylim(bottom=0, top=_reach([values]))
    return _svg(figure, [series], f"Latencies of {series.label}: every sample in order, and their distribution")


def overview_plot(all_series: list[Series]) -> str:
    """The variants of one device on one axis: all samples, and a box from the first to the third quartile."""
    figure = _figure(10.2, 0.6 + 0.55 * len(all_series))
    axes = figure.subplots()
    everything = []
    for row, series in enumerate(all_series):
        values = np.asarray(series.latency_ns) / 1e6
        everything.append(values)
        axes.plot(
            values,
            row + 0.2 + _scatter(values.size) * 0.16,
            linestyle="none",
            marker="o",
            markersize=2.6,
            color=ACCENT,
            alpha=0.45,
            markeredgewidth=0,
        )
        _box(axes, values, position=row - 0.2, vertical=False)
    axes.set_yticks(range(len(all_series)), [series.label for series in all_series], parse_math=False)
    axes.set_ylim(len(all_series) - 0.5, -0.5)
    axes.set_xlabel("latency, ms")
    axes.set_xlim(left=0, right=_reach(everything))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, all_series, "Latencies of all variants on one axis")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _box(axes: Axes, values: np.ndarray[Any, np.dtype[np.float64]], *, position: float, vertical: bool) -> None:
    axes.boxplot(
        values,
        positions=[position],
        widths=0.28,
        orientation="vertical" if vertical else "horizontal",
        whis=(5, 95),
        showfliers=False,
        manage_ticks=False,
        boxprops={"color": INK, "linewidth": 1},
        whiskerprops={"color": INK, "linewidth": 1},
        capprops={"color": INK, "linewidth": 1},
        medianprops={"color": WARM, "linewidth": 2},
    )


def _reach(everything: list[np.ndarray[Any, np.dtype[np.float64]]]) -> float:
    """Axes start at zero and hold every sample: nothing is cut off, and twice as high is twice as slow."""
    return 1.08 * max(float(values.max()) for values in everything)


def _scatter(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Sideways places between -1 and 1 that look random and are always the same (golden-ratio sequence)."""
    return np.asarray((np.arange(count) * 0.6180339887498949) % 1 * 2 - 1)


def _svg(figure: Figure, data: list[Series], label: str) -> str:
    """Inline SVG without a fixed size, with text as text, so that it takes the page's font and can be read aloud."""
    import matplotlib

    for axes in figure.axes:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(FAINT)
        axes.tick_params(colors=INK, labelsize=9, color=FAINT)
        axes.xaxis.label.set(color=INK, size=9)
        axes.yaxis.label.set(color=INK, size=9)
        axes.set_facecolor("none")
    figure.patch.set_visible(False)
    salt = hashlib.sha256(
        repr(data).encode()
    ).hexdigest()  # ids are the same for the same data, and no two plots share one
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "svg.id": None}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    # ids of groups repeat from plot to plot and nothing refers to them; clip paths and markers keep their salted ids
    text = re.sub(r'<g id="[a-zA-Z_]+\d*">', "<g>", text)
    head = re.compile(r"<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>")
    return head.sub(
        lambda found: f'<svg class="plot" viewBox="{found.group(1)}" role="img" aria-label="{_attribute(label)}">',
        text,
        count=1,
    ).strip()


def _attribute(text: str) -> str:
    from html import escape

    return escape(text, quote=True)
