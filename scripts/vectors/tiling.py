"""Pictures made of tiles, and which facts of a bundle are refused."""

from __future__ import annotations

import itertools

import numpy as np

from builder.bundle import Tiling
from builder.errors import InputError
from builder.graph.tiling import Tiler
from scripts.vectors.files import Case, pack

ABOUT = (
    "Tiles (docs/formats/tiling.md). `facts`: the tiles of a network's input by a manifest's `tiling`, or `refused`. `picture`: pixel (x, y) is "
    "the RGB word (7919 x + 104729 y) mod 2^24; tile number n = 0, 1, ... gives its pixels, enlarged by `scale`, with 37 n added to each channel mod 256; "
    "`result` is the RGB bytes of the whole, base64."
)
# side h, side w, scale, facts; the reaches around 65 to 123 at 256 pixels are those that once divided the languages
FACTS: tuple[tuple[int, int, Tiling | None], ...] = (
    (64, 64, None),
    (32, 48, None),
    (64, 64, Tiling(allowed=False, reason="it looks at the whole picture")),
    (64, 64, Tiling(allowed=True)),
    (64, 64, Tiling(allowed=True, overlap=0, multiple=1, scale=1.0)),
    (64, 64, Tiling(allowed=True, overlap=10, multiple=2, scale=1.0)),
    (64, 96, Tiling(allowed=True, overlap=10, multiple=8, scale=2.0)),
    *((256, 256, Tiling(allowed=True, overlap=reach, multiple=4, scale=1.0)) for reach in (64, 65, 92, 93, 123)),
    (256, 256, Tiling(allowed=True, overlap=80, multiple=64, scale=1.0)),
    (256, 256, Tiling(allowed=True, overlap=90, multiple=128, scale=1.0)),
)
# tile h x w, scale, margin, band, multiple, picture h x w
PICTURES = (
    ((16, 16), 1, 2, 8, 1, (40, 33)),
    ((16, 16), 1, 2, 4, 4, (16, 16)),
    ((16, 16), 1, 2, 4, 4, (61, 30)),
    ((16, 16), 1, 0, 2, 1, (5, 40)),
    ((16, 16), 1, 0, 0, 1, (33, 20)),
    ((24, 16), 1, 4, 3, 1, (25, 17)),
    ((16, 24), 2, 3, 4, 2, (21, 37)),
    ((16, 16), 3, 1, 2, 1, (18, 10)),
    ((32, 32), 1, 10, 8, 4, (50, 47)),
    ((8, 8), 1, 2, 3, 1, (1, 1)),
)


def make_cases() -> list[Case]:
    return [*map(_facts, FACTS), *itertools.starmap(_picture, PICTURES)]


def _facts(found: tuple[int, int, Tiling | None]) -> Case:
    height, width, facts = found
    case: Case = {"facts": None if facts is None else facts.model_dump(mode="json"), "tile": [height, width]}
    try:
        tiler = Tiler.of(height, width, 1, facts)
    except InputError:
        return {**case, "refused": True}
    return {**case, "margin": tiler.margin, "band": tiler.band, "multiple": tiler.multiple}


def _picture(
    tile: tuple[int, int], scale: int, margin: int, band: int, multiple: int, picture: tuple[int, int]
) -> Case:
    tiler = Tiler(height=tile[0], width=tile[1], scale=scale, margin=margin, band=band, multiple=multiple)
    count = itertools.count()

    def render(
        pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        large = pixels.repeat(scale, 0).repeat(scale, 1)
        return (large.astype(np.int64) + 37 * next(count)).astype(np.uint8)

    result, _ = tiler.run(draw_noise(*picture), render)
    return {
        "picture": list(picture),
        "tile": list(tile),
        "scale": scale,
        "margin": margin,
        "band": band,
        "multiple": multiple,
        "rows": tiler.starts(picture[0], tile[0]),
        "columns": tiler.starts(picture[1], tile[1]),
        "result": pack(result),
    }


def draw_noise(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    y, x = np.mgrid[:height, :width]
    words = (7919 * x + 104729 * y) % (1 << 24)
    return np.stack([words >> 16, words >> 8 & 255, words & 255], -1).astype(np.uint8)
