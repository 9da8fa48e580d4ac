"""Plots over time: throughput, temperature and clocks of one run on one axis, and the medians of a device's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.analysis.throttling import Curve, Throttling, read_curves
from harness.records.run import Run
from harness.report import svg
from harness.report.svg import Scale

LEFT, RIGHT = 64.0, svg.WIDTH - 150
# Units of the picture: several panels fit on a screen, with the axis' numbers between them.
PANEL, GAP = 128.0, 34.0
# Of a panel; phones have dozens of zones and a clock for each core.
MOST_CURVES = 8
# About one for each pixel of a panel.
MOST_POINTS = 400
# Of the page's palette.
COLOURS = 8


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Medians of one variant over the history of a device: (seconds since 1970, ms, grade)."""

    label: str
    points: tuple[tuple[float, float, str], ...]


def plot_throttling(run: Run, shown: Throttling) -> str:
    """Throughput, temperatures, headroom and clocks on one time axis; the thermal status as shades behind the throughput."""
    panels: list[tuple[str, tuple[Curve, ...], bool]] = [("inferences / s", (shown.throughput,), True)]
    for unit, title in (("degC", "°C"), ("headroom", "thermal headroom"), ("MHz", "MHz")):
        drawn = _distinct(read_curves(run, unit))
        if drawn:
            panels.append((title, drawn, unit == "MHz"))
    end = max(max(curve.t_s) for _, group, _ in panels for curve in group) / 60
    x = Scale(low=0, high=end, first=LEFT, last=RIGHT)
    height = len(panels) * (PANEL + GAP) + 36
    parts = []
    for index, (title, group, from_zero) in enumerate(panels):
        top = 24 + index * (PANEL + GAP)
        values = [value for curve in group for value in curve.values]
        low, high = (0.0 if from_zero else min(values)), max(values)
        margin = 0.08 * (high - low) or 1.0
        y = Scale(low=low if from_zero else low - margin, high=high + margin, first=top + PANEL, last=top)
        parts.append(svg.draw_left_axis(y, x, title))
        if index == 0:
            parts += _states(run, x, y)
            parts.append(svg.draw_line(x.first, y(0.9 * shown.peak), x.last, y(0.9 * shown.peak), "mark"))
            parts.append(svg.draw_text(RIGHT + 8, y(0.9 * shown.peak) + 4, "90 % of the peak", kind="tick"))
            if shown.throttled_after_s is not None:
                at = x(shown.throttled_after_s / 60)
                parts.append(svg.draw_line(at, y.last, at, y.first, "shift"))
        ordered = sorted(group, key=lambda curve: -curve.values[-1])
        names = svg.spread([y(curve.values[-1]) for curve in ordered], 14, y.first)
        for number, curve in enumerate(ordered):
            parts.append(
                svg.draw_polyline([(x(t / 60), y(value)) for t, value in _thin(curve)], f"line c{number % COLOURS}")
            )
            if index:
                parts.append(svg.draw_text(RIGHT + 8, names[number] + 4, curve.name, kind=f"name c{number % COLOURS}"))
        parts.append(svg.draw_line(x.first, y.first, x.last, y.first, "axis"))
    parts.append(svg.draw_bottom_axis(x, 24 + len(panels) * (PANEL + GAP) - GAP, "minutes since the start", about=10))
    return svg.draw_picture(height, parts, f"Throughput, temperature and clocks over time of {run.variant}")


def plot_history(traces: Sequence[Trace], changes: Sequence[float] = ()) -> str:
    """Median of every run over the calendar, a line for each variant; runs that are not ok are hollow and not joined. At the moments of
    `changes` (seconds since 1970) something changed for good."""
    height, right = 250.0, svg.WIDTH - 230
    moments = [moment for trace in traces for moment, _, _ in trace.points]
    highest = max(value for trace in traces for _, value, _ in trace.points)
    first, last = min(moments), max(moments)
    x = Scale(low=first, high=last if last > first else first + 1, first=LEFT, last=right)
    y = Scale(low=0, high=1.08 * highest, first=height - 40, last=24)
    parts = [svg.draw_left_axis(y, x, "ms"), svg.draw_line(x.first, y.first, x.last, y.first, "axis")]
    count = 5
    for number in range(count + 1):
        moment = first + (last - first) * number / count
        parts.append(svg.draw_text(x(moment), y.first + 18, _date(moment, last - first), anchor="middle", kind="tick"))
    parts += [
        svg.draw_line(x(moment), y.last, x(moment), y.first, "shift") for moment in changes if first <= moment <= last
    ]
    order = sorted(range(len(traces)), key=lambda index: -traces[index].points[-1][1])
    names = svg.spread([y(traces[index].points[-1][1]) for index in order], 15, y.first)
    for index, under in zip(order, names, strict=True):
        trace, colour = traces[index], f"c{index % COLOURS}"
        good = [(x(moment), y(value)) for moment, value, grade in trace.points if grade == "ok"]
        if len(good) > 1:
            parts.append(svg.draw_polyline(good, f"line {colour}"))
        parts.append(svg.draw_dots(good, f"dots {colour}"))
        parts.append(
            svg.draw_dots([(x(m), y(v)) for m, v, grade in trace.points if grade != "ok"], f"dots far {colour}")
        )
        parts.append(svg.draw_text(right + 10, under + 4, svg.shorten(trace.label, 32), kind=f"name {colour}"))
    return svg.draw_picture(height, parts, "Median latency of every run over time")


def _states(run: Run, x: Scale, y: Scale) -> list[str]:
    """Shades where the device told a thermal status above 0."""
    parts = []
    for curve in read_curves(run, "status"):
        start = 0
        for index in range(1, len(curve.values) + 1):
            value = curve.values[start]
            if index < len(curve.values) and curve.values[index] == value:
                continue
            if value >= 1:
                end = curve.t_s[index] / 60 if index < len(curve.t_s) else x.high
                left, right = x(curve.t_s[start] / 60), x(min(end, x.high))
                parts.append(svg.draw_box(left, y.last, right - left, y.first - y.last, f"heat h{min(int(value), 4)}"))
            start = index
    return parts


def _distinct(every: tuple[Curve, ...]) -> tuple[Curve, ...]:
    """Curves that differ; of cores that share a clock one stands for all. If there are too many, the first, which is the one that
    sessions wait for, and those that move most."""
    kept: dict[tuple[float, ...], list[Curve]] = {}
    for curve in every:
        kept.setdefault(curve.values, []).append(curve)
    merged = [
        Curve(name=_common([curve.name for curve in same]), unit=same[0].unit, t_s=same[0].t_s, values=same[0].values)
        for same in kept.values()
    ]
    others = sorted(merged[1:], key=lambda curve: min(curve.values) - max(curve.values))
    return tuple([*merged[:1], *others][:MOST_CURVES])


def _common(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} \u2013 {names[-1]}"


def _thin(curve: Curve) -> list[tuple[float, float]]:
    points = list(zip(curve.t_s, curve.values, strict=True))
    step = -(-len(points) // MOST_POINTS)
    return points[::step] + ([points[-1]] if (len(points) - 1) % step else [])


def _date(moment: float, span: float) -> str:
    from datetime import UTC

    when = datetime.fromtimestamp(moment, UTC)
    return f"{when:%H:%M}" if span < 2 * 86_400 else f"{when:%d %b}" if span < 300 * 86_400 else f"{when:%b %Y}"
