"""The trade-off of a search as a plot in SVG: a mark for each trial, a line for each limit, and what the best ones reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from builder.plan_search.goal import Measures
from builder.plan_search.result import SearchResult
from builder.plan_search.trials import Trial

# Pixels: over the page's width, with room for the axes' numbers.
WIDTH, HEIGHT, MARGIN = 760, 380, 60
CHOSEN, CURVE, OTHER, LIMIT = "#1a7f37", "#2563eb", "#9ca3af", "#b45309"
_STOCK = "every layer "  # with which the words of a stock recipe begin


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What an axis shows of a trial, None where the trial has it not; `limit` is drawn as a line across."""

    label: str
    value: Callable[[Measures], float | None]
    limit: float | None


@dataclass(frozen=True, kw_only=True)
class _Point:
    trial: Trial
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def plot(result: SearchResult, x: Axis, y: Axis) -> str:
    """All trials that have both values, stock recipes as squares with their names; a mark names its trial when pointed at."""
    points = []
    for trial in result.trials:
        if trial.measures is not None:
            place = x.value(trial.measures), y.value(trial.measures)
            if place[0] is not None and place[1] is not None:
                points.append(_Point(trial=trial, x=place[0], y=place[1]))
    if not points:
        return ""
    across = _scale([point.x for point in points], x.limit, MARGIN, WIDTH - MARGIN)
    up = _scale([point.y for point in points], y.limit, HEIGHT - MARGIN, MARGIN)
    line = " ".join(f"{across.at(a):.1f},{up.at(b):.1f}" for a, b in _find_best_so_far([(p.x, p.y) for p in points]))
    title = f"<title>{escape(y.label)} over {escape(x.label)}</title>"
    marks = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">{title}',
        *_grid(across, up),
        f'<polyline points="{line}" fill="none" stroke="#2563eb66" stroke-width="2"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x.label)}</text>',
        f'<text x="{MARGIN}" y="{MARGIN - 24}">{escape(y.label)}</text>',
        *_limits(across, up, x.limit, y.limit),
    ]
    # The chosen one and the curve are drawn last, on top.
    for point in sorted(points, key=lambda p: (p.trial.number == result.chosen, p.trial.number in result.curve)):
        marks.append(_draw_trial(result, point.trial, across.at(point.x), up.at(point.y)))
    return "".join([*marks, "</svg>"])


def mark(x: float, y: float, fill: str, radius: float) -> str:
    """A round mark in SVG."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"/>'


def square(x: float, y: float, fill: str) -> str:
    """The mark of a stock recipe in SVG."""
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" transform="rotate(45 {x:.1f} {y:.1f})" fill="{fill}"/>'


def _number(value: float) -> str:
    """Three significant digits, thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _scale(values: Sequence[float], limit: float | None, start: float, end: float) -> _Scale:
    low, high = _range([*values, *([limit] if limit is not None else [])])
    return _Scale(low=low, high=high, start=start, end=end)


def _grid(across: _Scale, up: _Scale) -> list[str]:
    marks = []
    for y in _ticks(up.low, up.high):
        at = up.at(y)
        marks.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{at:.1f}" y2="{at:.1f}" stroke="#8884"/>')
        marks.append(f'<text x="{MARGIN - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    for x in _ticks(across.low, across.high):
        marks.append(
            f'<text x="{across.at(x):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{_number(x)}</text>'
        )
    return marks


def _limits(across: _Scale, up: _Scale, x: float | None, y: float | None) -> list[str]:
    dashes = f'stroke="{LIMIT}" stroke-width="2" stroke-dasharray="5 3"'
    marks = []
    if x is not None:
        at = f"{across.at(x):.1f}"
        marks.append(f'<line x1="{at}" x2="{at}" y1="{MARGIN}" y2="{HEIGHT - MARGIN}" {dashes}/>')
    if y is not None:
        at = f"{up.at(y):.1f}"
        marks.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{at}" y2="{at}" {dashes}/>')
    return marks


def _draw_trial(result: SearchResult, trial: Trial, x: float, y: float) -> str:
    chosen = trial.number == result.chosen
    fill = CHOSEN if chosen else CURVE if trial.number in result.curve else OTHER
    what = f"trial {trial.number}: {trial.measures.describe() if trial.measures else ''}; {trial.what}"
    stock = trial.origin == "uniform"
    shape = square(x, y, fill) if stock else mark(x, y, fill, 7 if chosen else 4)
    name = ""
    if stock:
        right = x < WIDTH * 0.6
        name = (
            f'<text x="{x + (9 if right else -9):.1f}" y="{y - 7:.1f}" text-anchor="{"start" if right else "end"}" '
            f'style="font-size:10px">{escape(trial.what.removeprefix(_STOCK))}</text>'
        )
    return f"<g><title>{escape(what)}</title>{shape}</g>{name}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 1e-6)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends, four to nine of them."""
    rough = (high - low) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * part for part in (1, 2, 5, 10) if size * part >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _find_best_so_far(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From left to right, every point that is higher than all before it."""
    best: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or y > best[-1][1]:
            best.append((x, y))
    return best
