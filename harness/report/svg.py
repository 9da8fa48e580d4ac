"""Small pieces of inline SVG: scales, axes, lines and points. Colours are CSS variables of the page, so light and dark both work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isclose, log10

# Units of every picture, which the page stretches to its own width.
WIDTH = 1000.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear map from values `low..high` to places `first..last` of the picture."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        return (
            self.first + (value - self.low) / span * (self.last - self.first) if span else (self.first + self.last) / 2
        )

    def ticks(self, about: int) -> list[float]:
        """Round values (1, 2 or 5 times a power of ten apart) within the scale, about `about` of them."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        rough = span / max(about, 1)
        power = 10.0 ** floor(log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first = ceil(self.low / step - 1e-9)
        return [round(number * step, 12) for number in range(first, floor(self.high / step + 1e-9) + 1)]


def format_number(value: float) -> str:
    """A tick's text: no more digits than it needs."""
    return f"{value:.0f}" if isclose(value, round(value), abs_tol=1e-9) else f"{value:.6g}"


def place(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def shorten(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "\u2026"


def draw_text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{place(x)}" y="{place(y)}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def draw_line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{place(x1)} {place(y1)}L{place(x2)} {place(y2)}"/>'


def spread(places: Sequence[float], gap: float, lowest: float) -> list[float]:
    """Places of names beside curves, from the top down, moved apart by at least `gap` and, while they fit, none below `lowest`."""
    moved: list[float] = []
    for wanted in places:
        moved.append(max(wanted, moved[-1] + gap) if moved else wanted)
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], lowest)
        lowest = moved[index] - gap
    return moved


def draw_polyline(points: Iterable[tuple[float, float]], kind: str) -> str:
    return f'<path class="{kind}" d="M{"L".join(f"{place(x)} {place(y)}" for x, y in points)}"/>'


def draw_dots(points: Iterable[tuple[float, float]], kind: str) -> str:
    """Points as round caps of strokes without length: a tenth of the bytes of circles."""
    return f'<path class="{kind}" d="{"".join(f"M{place(x)} {place(y)}h0" for x, y in points)}"/>'


def draw_box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{place(x)}" y="{place(y)}" width="{place(max(width, 0.5))}" height="{place(height)}"/>'


def draw_left_axis(y: Scale, x: Scale, unit: str, about: int = 4, show: Callable[[float], str] = format_number) -> str:
    """Grid lines across, values at the left, and the unit above them."""
    parts = [draw_line(x.first, y(tick), x.last, y(tick), "grid") for tick in y.ticks(about)]
    parts += [draw_text(x.first - 8, y(tick) + 4, show(tick), anchor="end", kind="tick") for tick in y.ticks(about)]
    return "".join([*parts, draw_text(0, y.last - 9, unit, kind="unit")])


def draw_bottom_axis(
    x: Scale, y: float, label: str, about: int = 8, show: Callable[[float], str] = format_number
) -> str:
    parts = [draw_line(x.first, y, x.last, y, "axis")]
    for tick in x.ticks(about):
        parts += [
            draw_line(x(tick), y, x(tick), y + 4, "axis"),
            draw_text(x(tick), y + 18, show(tick), anchor="middle", kind="tick"),
        ]
    return "".join([*parts, draw_text(x.last, y + 34, label, anchor="end", kind="unit")])


def draw_picture(height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {place(height)}" role="img" aria-label="{escape(label, quote=True)}">'
        + "".join(parts)
        + "</svg>"
    )
