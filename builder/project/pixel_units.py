"""Whether `mean` and `std` are of pixels of 0..1 or of 0..255."""

from __future__ import annotations

from typing import Any


def in_unit_pixels(raw: Any) -> Any:
    """A picture's section as written, with `mean` and `std` of pixels of 0..1, which alone the rest of the builder knows. Raises ValueError."""
    mean, std = (_numbers(raw.get(key)) if isinstance(raw, dict) else None for key in ("mean", "std"))
    if mean is None or std is None:
        return raw
    large_mean, large_std = max(map(abs, mean)), max(map(abs, std))
    # Caffe's std of 1 is of pixels of 0..255; no channel varies by less there, or by more than 1 where pixels end at 1
    if (large_mean > 1 and large_std < 1) or (0 < large_mean <= 1 and large_std > 2):
        raise ValueError("'mean' and 'std' are of different pixels, one of 0..1 and one of 0..255: write both of 0..1")
    if raw.get("scale", 1) != 255:
        if max(map(abs, (*mean, *std))) > 1:
            raise ValueError(
                "'mean' and 'std' are of pixels scaled to 0..1, and these are not; if they are of pixels of 0..255, add scale = 255"
            )
        return raw
    if 0 < max(map(abs, mean)) <= 1:
        raise ValueError("'mean' is of pixels scaled to 0..1 already: remove 'scale'")
    return {**raw, "mean": [m / 255 for m in mean], "std": [s / 255 for s in std], "scale": 1}


def _numbers(value: Any) -> list[float] | None:
    """What pydantic will take for three numbers; anything else is left to its own messages."""
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None
