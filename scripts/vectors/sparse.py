"""Sparse pictures, as the goldens of packages hold expected outputs."""

from __future__ import annotations

import numpy as np

from builder.bundle.sparse import sample_pixels
from scripts.vectors.files import Case, pack

ABOUT = (
    "Sparse pictures: of `pixels` (RGB bytes, base64) of a picture of `size` [height, width], one of each whole block of 4 x 4. Block (row, column) gives its "
    "pixel (column % 4, (column // 4 + row) % 4)."
)
SIZES = ((8, 8), (4, 20), (21, 38), (16, 64))


def make_cases() -> list[Case]:
    random = np.random.default_rng(16)
    found = []
    for size in SIZES:
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        found.append({"size": list(size), "pixels": pack(pixels), "sparse": pack(sample_pixels(pixels))})
    return found
