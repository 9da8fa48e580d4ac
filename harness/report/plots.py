"""Plots of latencies: the samples of one run, and the distributions of the variants of one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.report import svg
from harness.report.svg import Scale
from harness.report.text import format_significant
from harness.statistics import Summary, find_outliers, judge_stationarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEFT, RIGHT = 64.0, svg.WIDTH - 8
# Of a plot: beyond it, stretches show their least, middle and greatest sample, so that no extreme is lost.
MOST_POINTS = 600
# Bars that are wide enough to be seen as such.
BINS = 36


@dataclass(frozen=True, kw_only=True)
class Series:
    """Latencies of one run, in the order in which they were measured, with their summary."""

    label: str
    latency_ns: tuple[int, ...]
    summary: Summary
    grade: str = "ok"


def run_plot(series: Series) -> str:
    """Every sample in the order of measurement, where drift and changes show, and beside it how they are distributed."""
    values = np.asarray(series.latency_ns, np.float64) / 1e6
    height = 216.0
    limit = _limit(values)
    y = _close_scale(values[values <= limit], height - 42, 22)
    x = Scale(low=0.5, high=values.size + 0.5, first=LEFT, last=690)
    far = set(find_outliers(values).tolist())
    shown = _thin(values)
    summary = series.summary
    parts = [
        svg.draw_left_axis(y, Scale(low=0, high=1, first=LEFT, last=RIGHT), "ms"),
        svg.draw_box(
            x.first, y(summary.high / 1e6), x.last - x.first, y(summary.low / 1e6) - y(summary.high / 1e6), "band"
        ),
        svg.draw_line(x.first, y(summary.median / 1e6), x.last, y(summary.median / 1e6), "median"),
        svg.draw_dots([(x(i + 1), y(values[i])) for i in shown if i not in far], "dots"),
        svg.draw_dots([(x(i + 1), max(y(values[i]), y.last)) for i in shown if i in far], "dots far"),
        svg.draw_bottom_axis(x, y.first, "sample, in order of measurement"),
    ]
    stationary = judge_stationarity(values)
    if not stationary.stationary:
        for shift in stationary.shifts:
            parts.append(svg.draw_line(x(shift.at + 0.5), y.last, x(shift.at + 0.5), y.first, "shift"))
    if (above := int((values > limit).sum())) > 0:
        words = f"{above} above, up to {format_significant(float(values.max()))} ms"
        parts.append(svg.draw_text(x.last, y.last - 9, words, anchor="end", kind="tick"))
    parts += _histogram(values[values <= limit], y, Scale(low=0, high=1, first=730, last=RIGHT - 70))
    parts += _marks(summary, y, 730, RIGHT - 66)
    return svg.draw_picture(
        height, parts, f"Latencies of {series.label}: every sample in order, and their distribution"
    )


def plot_overview(all_series: list[Series]) -> str:
    """The variants of one device on one axis: a box from the first to the third quartile, whiskers from 5 to 95 %, the median and
    its interval."""
    row, top = 34.0, 8.0
    names = max(len(series.label) for series in all_series)
    left = min(330.0, 24 + 7.4 * names)
    height = top + row * len(all_series) + 40
    highest = max(max(series.summary.p95, series.summary.high) for series in all_series) / 1e6
    x = Scale(low=0, high=1.04 * highest, first=left, last=RIGHT - 70)
    bottom = top + row * len(all_series)
    parts = [svg.draw_line(x(tick), top, x(tick), bottom, "grid") for tick in x.ticks(8)]
    for index, series in enumerate(all_series):
        middle = top + row * (index + 0.5)
        values = np.asarray(series.latency_ns, np.float64) / 1e6
        low, first, third, high = (float(q) for q in np.quantile(values, (0.05, 0.25, 0.75, 0.95)))
        summary = series.summary
        faint = "" if series.grade == "ok" else " faint"
        parts += [
            svg.draw_text(left - 12, middle + 4, svg.shorten(series.label, 40), anchor="end"),
            svg.draw_line(x(low), middle, x(high), middle, "whisker" + faint),
            svg.draw_box(x(first), middle - 7, x(third) - x(first), 14, "quartiles" + faint),
            svg.draw_box(
                x(summary.low / 1e6), middle - 3, x(summary.high / 1e6) - x(summary.low / 1e6), 6, "certain" + faint
            ),
            svg.draw_line(
                x(summary.median / 1e6), middle - 10, x(summary.median / 1e6), middle + 10, "median strong" + faint
            ),
            svg.draw_text(
                max(x(high), x(summary.high / 1e6)) + 8,
                middle + 4,
                f"{format_significant(summary.median / 1e6)} ms",
                kind="tick",
            ),
        ]
    parts.append(svg.draw_bottom_axis(x, bottom, "latency, ms"))
    return svg.draw_picture(height, parts, "Latencies of all variants on one axis")


def _limit(values: NDArray[np.float64]) -> float:
    """Where the axis may end: a single sample far above would press all others into a line. It is drawn at the edge, and told."""
    middle, most, nearly_all = (float(q) for q in np.quantile(values, (0.5, 0.95, 0.99)))
    top = max(nearly_all, middle + 5 * (most - middle), 1.1 * middle)
    highest = float(values.max())
    return highest if highest <= middle + 2 * (top - middle) else top


def _close_scale(values: NDArray[np.float64], first: float, last: float) -> Scale:
    """From the least to the greatest sample, and not closer than a tenth of the median, so that small noise stays small."""
    low, high = float(values.min()), float(values.max())
    span = max(high - low, 0.1 * float(np.median(values)))
    middle = (low + high) / 2
    return Scale(
        low=max(0.0, min(low, middle - span / 2) - 0.1 * span),
        high=max(high, middle + span / 2) + 0.1 * span,
        first=first,
        last=last,
    )


def _histogram(values: NDArray[np.float64], y: Scale, x: Scale) -> list[str]:
    """Counts by latency, turned so that it shares the axis of the samples."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [svg.draw_line(x.first, y(low), x.last, y(low), "bars one")]
    counts, edges = np.histogram(values, bins=min(BINS, max(6, values.size // 4)), range=(low, high))
    full = (x.last - x.first) / counts.max()
    return [
        svg.draw_box(x.first, y(edges[i + 1]), full * count, max(y(edges[i]) - y(edges[i + 1]) - 0.6, 0.6), "bars")
        for i, count in enumerate(counts)
        if count
    ]


def _marks(summary: Summary, y: Scale, left: float, right: float) -> list[str]:
    """Median, p90 and p99 across the distribution; a name that would hide the one before is left out."""
    parts, last = [], float("inf")
    for name, value, kind in (
        ("p50", summary.median, "median"),
        ("p90", summary.p90, "mark"),
        ("p99", summary.p99, "mark"),
    ):
        at = y(value / 1e6)
        parts.append(svg.draw_line(left, at, right, at, kind))
        if last - at >= 13:
            parts.append(svg.draw_text(right + 4, at + 4, f"{name} {format_significant(value / 1e6)}", kind="tick"))
            last = at
    return parts


def _thin(values: NDArray[np.float64]) -> list[int]:
    if values.size <= MOST_POINTS:
        return list(range(values.size))
    chosen: set[int] = set()
    for stretch in np.array_split(np.arange(values.size), MOST_POINTS // 3):
        order = stretch[np.argsort(values[stretch], kind="stable")]
        chosen.update((int(order[0]), int(order[order.size // 2]), int(order[-1])))
    return sorted(chosen)
