"""Condition inputs, such as a style's index or vector: which of their values calibration leaves out.

Ranges that were observed with some styles are wrong for the others, by ten decibels and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.project.config import InputSection
from builder.project.data import DataSets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Values that a warning names; of more it says how many.
NAMED = 8


def find_uncovered(data: DataSets, inputs: Sequence[InputSection]) -> tuple[str, ...]:
    """One sentence for every input whose calibration samples leave values out; files are read one at a time.

    One-hot vectors are to cover every position, indices and other vectors every value of the evaluation set. Vectors that
    never come twice in the calibration set are taken for continuous, and not spoken of.
    """
    sentences = []
    for section in inputs:
        if section.kind == "image" or not data.calibration:
            continue
        seen = [value for file in data.calibration if (value := _value(file.path, section.name)) is not None]
        wanted = [
            (value, file.path) for file in data.evaluation if (value := _value(file.path, section.name)) is not None
        ]
        left = _list_left_out(seen, wanted)
        if left:
            more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
            sentences.append(
                f"calibration leaves out {', '.join(left[:NAMED])}{more} of the condition input {section.name!r}: static int8 will be "
                "wrong there; add samples of them to 'calibration' in [data]."
            )
    return tuple(sentences)


def _list_left_out(
    seen: Sequence[NDArray[np.generic]], wanted: Sequence[tuple[NDArray[np.generic], Path]]
) -> list[str]:
    every = [*seen, *(value for value, _ in wanted)]
    if every and all(_hot(value) is not None for value in every):
        covered = {_hot(value) for value in seen}
        return [str(place) for place in range(every[0].size) if place not in covered]
    known = {value.tobytes() for value in seen}
    if every and all(value.dtype.kind in "iu" and value.size == 1 for value in every):
        return [
            str(index) for index in sorted({int(value.item()) for value, _ in wanted if value.tobytes() not in known})
        ]
    if len(known) == len(seen) > 1:
        return []
    left = {value.tobytes(): path.name for value, path in reversed(wanted) if value.tobytes() not in known}
    return [f"the value of {name}" for name in sorted(left.values())]


def _hot(value: NDArray[np.generic]) -> int | None:
    """The place of the only one among zeros, or None."""
    flat = value.reshape(-1)
    places = flat.nonzero()[0]
    return int(places[0]) if flat.size > 1 and places.size == 1 and flat[places[0]] == 1 else None


def _value(path: Path, name: str) -> NDArray[np.generic] | None:
    """The array of this name, None for what is no .npz with it: reading the samples themselves names such files."""
    import zipfile

    import numpy as np

    if path.suffix != ".npz":
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name] if name in archive.files else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
