"""Procedural style pictures: brush strokes along a swirling flow, drawn from a seed.

A style picture that is drawn here has one author and one licence (Apache-2.0, as the rest of the repository), so what a
network learns from it may be used commercially.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Rgb = tuple[int, int, int]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Brush:
    """How strokes look. Lengths and widths are pixels of the finished picture."""

    palette: tuple[Rgb, ...]
    outline: Rgb
    width: float
    outline_width: float
    length: float
    strokes: int
    jitter: int


SWIRLING_STROKES = Brush(
    palette=(
        (20, 30, 84),
        (26, 72, 150),
        (34, 132, 170),
        (112, 196, 184),
        (244, 232, 190),
        (250, 190, 60),
        (232, 100, 44),
    ),
    outline=(6, 8, 26),
    width=7.0,
    outline_width=1.0,
    length=40.0,
    strokes=7000,
    jitter=16,
)

BLOSSOM_STROKES = Brush(
    palette=(
        (58, 40, 92),
        (112, 74, 142),
        (64, 142, 186),
        (138, 206, 214),
        (246, 168, 184),
        (252, 214, 186),
        (255, 246, 230),
    ),
    outline=(44, 26, 66),
    width=9.0,
    outline_width=1.2,
    length=44.0,
    strokes=4500,
    jitter=10,
)

OVERSAMPLING = 2


def smooth_noise(generator: np.random.Generator, size: int, scale: int) -> FloatArray:
    """Periodic low-pass noise `[size, size]` in [0, 1], with features about `scale` pixels wide."""
    spectrum = np.fft.fft2(generator.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    field = np.fft.ifft2(spectrum * np.exp(-0.5 * (2.0 * frequency * scale) ** 2)).real
    # Ranks instead of values: every palette colour then covers the same share of the picture.
    ranks = np.argsort(np.argsort(field, axis=None)).reshape(size, size)
    return ranks / float(size * size - 1)


def paint(brush: Brush, *, size: int, seed: int) -> Image.Image:
    """An RGB picture of `size` x `size` pixels; the same seed gives the same pixels."""
    from PIL import Image, ImageDraw

    generator = np.random.default_rng(seed)
    tone = smooth_noise(generator, size, size // 14)
    angle = smooth_noise(generator, size, size // 7) * 4.0 * np.pi
    scale = OVERSAMPLING
    canvas = Image.new("RGB", (size * scale, size * scale), brush.palette[0])
    draw = ImageDraw.Draw(canvas)
    for _ in range(brush.strokes):
        x, y = generator.uniform(0, size, 2)
        index = min(int(tone[int(y), int(x)] * len(brush.palette)), len(brush.palette) - 1)
        colour = _shade(brush.palette[index], generator, brush.jitter)
        line = [(px * scale, py * scale) for px, py in _follow(angle, x, y, brush.length)]
        width = brush.width * generator.uniform(0.7, 1.3)
        _stroke(draw, line, (width + 2 * brush.outline_width) * scale, brush.outline)
        _stroke(draw, line, width * scale, colour)
    return canvas.resize((size, size), Image.Resampling.LANCZOS)


def _follow(angle: FloatArray, x: float, y: float, length: float) -> list[tuple[float, float]]:
    """Points of a stroke that starts at (x, y) and runs along the flow in steps of two pixels."""
    size = angle.shape[0]
    points = [(x, y)]
    for _ in range(int(length / 2.0)):
        direction = angle[int(y) % size, int(x) % size]
        x, y = x + 2.0 * np.cos(direction), y + 2.0 * np.sin(direction)
        points.append((x, y))
    return points


def _shade(colour: Rgb, generator: np.random.Generator, jitter: int) -> Rgb:
    red, green, blue = (int(np.clip(c + generator.integers(-jitter, jitter + 1), 0, 255)) for c in colour)
    return red, green, blue


def _stroke(draw: object, line: list[tuple[float, float]], width: float, colour: Rgb) -> None:
    """A polyline with round ends."""
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    draw.line(line, fill=colour, width=max(1, round(width)), joint="curve")
    for x, y in (line[0], line[-1]):
        radius = width / 2.0
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
