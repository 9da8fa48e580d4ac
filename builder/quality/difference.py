"""The difference of two pictures, enlarged until an eye sees it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# A difference of one level of 255 shows as a quarter of white; more would be noise.
MOST_TIMES = 64
# Percent of the differing values stay below white.
NEARLY_ALL = 99.5


def compute_differences(pictures: Mapping[str, Pixels], wanted: Pixels) -> tuple[dict[str, Pixels], int]:
    """The absolute difference of each from `wanted`, all enlarged by the same power of two, and that power."""
    apart = {name: np.abs(pixels.astype(np.int32) - wanted) for name, pixels in pictures.items()}
    largest = max((float(np.percentile(values, NEARLY_ALL)) for values in apart.values()), default=0.0)
    times = 1
    while times < MOST_TIMES and largest * times * 2 <= 255:
        times *= 2
    return {name: np.clip(values * times, 0, 255).astype(np.uint8) for name, values in apart.items()}, times


def encode_png(pixels: Pixels) -> bytes:
    """PNG with fixed settings, so that equal pixels give equal bytes."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=False, compress_level=9)
    return stream.getvalue()
