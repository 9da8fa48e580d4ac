"""Evaluation is held out: no picture of it may be a calibration picture saved again, in another format, size or quality."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import BundleError, DataError
from builder.project.data import DataFile, DataSets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of the thumbnails that are compared.
SIDE = 32
# Mean absolute difference of two thumbnails in 1/255. Over the pictures of examples/: JPEG at quality 50 and half the size
# moves one by at most 2.9, two different pictures are at least 15 apart.
SAME = 3.0
# A picture is decoded at about this side where its format allows it, for speed.
READ_MOST = 512


def check_held_out(data: DataSets, progress: Callable[[int, int], None]) -> None:
    """Look at every file of both sets. `progress` hears how many of how many were read.

    Raises DataError naming the two files that show one picture, or the file that cannot be read.
    """

    total, read = len(data.calibration) + len(data.evaluation), 0
    seen: list[NDArray[np.float32]] = []
    for file in data.evaluation:
        seen.append(make_thumbnail(file.path))
        progress(read := read + 1, total)
    for file in data.calibration:
        mine = make_thumbnail(file.path)
        if (twin := _nearest(mine, seen, data.evaluation)) is not None:
            raise DataError(
                f"{file.path} shows the same as the evaluation file {twin.path.name}; evaluation must be held out: remove it from one set."
            )
        progress(read := read + 1, total)


def make_thumbnail(path: Path) -> NDArray[np.float32]:
    """What a file shows in a few numbers: `[SIDE, SIDE, 3]` in 0..255 for a picture, all values of an .npz, flat."""
    return _numbers(path) if path.suffix == ".npz" else _picture(path)


def _picture(path: Path) -> NDArray[np.float32]:
    import numpy as np
    from PIL import Image

    from builder.bundle.pictures import read_rgb

    try:
        small = read_rgb(path, about=READ_MOST).resize((SIDE, SIDE), Image.Resampling.BOX)
    except BundleError as error:
        raise DataError(str(error)) from error
    return np.asarray(small, np.float32)


def _numbers(path: Path) -> NDArray[np.float32]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            parts = [archive[name].astype(np.float32).ravel() for name in sorted(archive.files)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a readable .npz file ({error}); write it with numpy.savez.") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _nearest(
    mine: NDArray[np.float32], seen: Sequence[NDArray[np.float32]], files: Sequence[DataFile]
) -> DataFile | None:
    """The file whose content is `mine`: nearly for pictures, exactly for numbers."""
    import numpy as np

    for other, file in zip(seen, files, strict=True):
        if other.shape != mine.shape:
            continue
        same = np.abs(other - mine).mean() < SAME if mine.ndim == 3 else np.array_equal(other, mine)
        if same:
            return file
    return None
