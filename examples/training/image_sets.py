"""Writes an example's calibration and evaluation pictures: square crops of the training and of the held-out pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.pictures import HELD_OUT, TRAINING, ByteArray, Picture

JPEG_QUALITY = 92


def square(pixels: ByteArray, position: float) -> ByteArray:
    """The largest square, at `position` (0 to 1) along the longer side."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = round((height - side) * position), round((width - side) * position)
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def write_image_sets(folder: Path, *, size: int) -> None:
    """Fill `folder`/calibration and `folder`/evaluation with JPEG files of `size` x `size` pixels and write ORIGIN.md."""
    rows: list[str] = []
    for number, picture in enumerate(TRAINING):
        # Two ends of the two most colourful photographs; elsewhere a second crop says nothing new.
        positions = (0.0, 1.0) if number < 2 else (0.5,)
        rows += [_write(folder / "calibration", picture, position, size) for position in positions]
    rows += [_write(folder / "evaluation", picture, 0.5, size) for picture in HELD_OUT]
    header = [
        "# Origin of the pictures",
        "",
        f"Square crops, scaled to {size} x {size} pixels and saved as JPEG, of pictures that ship inside the Python packages",
        "scikit-image and scikit-learn. The licence is the one that the package's documentation states for the picture.",
        "Calibration pictures come from training pictures; evaluation pictures come from pictures that were held out of both.",
        "",
        "| file | from | licence |",
        "|---|---|---|",
    ]
    (folder / "ORIGIN.md").write_text("\n".join([*header, *rows]) + "\n", encoding="utf-8")


def _write(folder: Path, picture: Picture, position: float, size: int) -> str:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    suffix = {0.0: "_start", 1.0: "_end"}.get(position, "")
    file = folder / f"{picture.name}{suffix}.jpg"
    crop = Image.fromarray(square(picture.pixels(), position)).resize((size, size), Image.Resampling.LANCZOS)
    crop.save(file, quality=JPEG_QUALITY)
    return f"| {folder.name}/{file.name} | {picture.package}: {picture.file} | {picture.licence} |"
