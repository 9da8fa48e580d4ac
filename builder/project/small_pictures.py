"""Pictures far smaller than the network's input: enlarged, they have no detail, and neither ranges nor quality are those of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.project.config import InputSection
from builder.project.data import DataSets

if TYPE_CHECKING:
    from pathlib import Path

# Of the input's height or width.
SMALL = 0.5
# Pictures of a set: more say the same.
LOOKED_AT = 500


def find_small(data: DataSets, inputs: Sequence[InputSection]) -> tuple[str, ...]:
    """One sentence for every set with such pictures; only their headers are read."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        return ()
    height, width = inputs[0].shape[2:]
    sentences = []
    for name, files in (("calibration", data.calibration), ("evaluation", data.evaluation)):
        looked = files[:LOOKED_AT]
        sizes = {file.path: size for file in looked if (size := _size(file.path)) is not None}
        small = {path: size for path, size in sizes.items() if size[0] < SMALL * width or size[1] < SMALL * height}
        if small:
            path, size = next(iter(small.items()))
            sentences.append(
                f"{len(small)} of {len(looked)} {name} pictures are smaller than half of the network's {width} x {height} ({path.name} is "
                f"{size[0]} x {size[1]}): enlarged they have no detail; use larger ones."
            )
    return tuple(sentences)


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height, None for what is no picture: reading the samples themselves names such files."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
