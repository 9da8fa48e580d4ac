"""Photographs and class names that lie near a model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
# Photographs.
PROBED = 4
# Directories below the model in which photographs are looked for.
DEEP = 3
# Pictures that make a set.
LEAST = 2
CALIBRATION, EVALUATION = r"calib|train", r"eval|val|test|held"
# Bytes of a file that may hold class names.
LONGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Data:
    """Globs of both sets, None where there is none, and photographs to try the network on."""

    calibration: str | None
    evaluation: str | None
    pictures: tuple[Path, ...]


def find_data(folder: Path) -> Data:
    """Directories with pictures near the model: those called calibration and evaluation, or by similar names, or the fullest.

    One with a directory for each class is one set.
    """
    homes = _group_pictures(folder)
    sets = {home: pictures for home, pictures in _sets(homes, folder).items() if len(pictures) >= LEAST}
    calibration = _find_named(sets, CALIBRATION)
    evaluation = _find_named(sets, EVALUATION)
    if evaluation is None:
        left = {home: pictures for home, pictures in sets.items() if home != calibration}
        evaluation = max(left, key=lambda home: len(left[home]), default=None)
    near = sets[evaluation] if evaluation else list(chain.from_iterable(homes.values()))
    return Data(calibration=calibration, evaluation=evaluation, pictures=tuple(near[:PROBED]))


def find_labels(folder: Path, count: int) -> str | None:
    """A text file beside the model with as many lines as the network has classes; None where there is none, or more than one."""
    fitting = [
        path.name
        for path in sorted(folder.glob("*.txt"))
        if path.stat().st_size <= LONGEST and _count_lines(path) == count > 1
    ]
    return fitting[0] if len(fitting) == 1 else None


def _count_lines(path: Path) -> int:
    try:
        return len(path.read_text(encoding="utf-8").splitlines())
    except ValueError:
        return 0


def _group_pictures(folder: Path) -> dict[Path, list[Path]]:
    homes: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.suffix.lower() in PICTURES and 1 < len(parts) <= DEEP + 1 and not hidden:
            homes.setdefault(path.parent, []).append(path)
    return homes


def _sets(homes: dict[Path, list[Path]], folder: Path) -> dict[str, list[Path]]:
    """By glob. Directories of one parent that are called neither calibration nor evaluation are its classes."""
    sets: dict[str, list[Path]] = {}
    for home, pictures in homes.items():
        classes = [other for other in homes if other.parent == home.parent]
        parent = home.parent
        split = any(re.search(f"{CALIBRATION}|{EVALUATION}", other.name, re.IGNORECASE) for other in classes)
        if parent == folder or parent in homes or len(classes) < 2 or split:
            sets[f"{home.relative_to(folder).as_posix()}/*"] = pictures
        else:
            in_turn = chain.from_iterable(zip_longest(*(homes[other] for other in classes)))
            sets[f"{parent.relative_to(folder).as_posix()}/*/*"] = [path for path in in_turn if path is not None]
    return sets


def _find_named(globs: Iterable[str], pattern: str) -> str | None:
    """The first whose own directory is called so."""
    return next((glob for glob in globs if re.search(pattern, Path(glob.replace("/*", "")).name, re.IGNORECASE)), None)
