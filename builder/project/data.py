"""Calibration and evaluation data: which files, that no file is in both sets, and reading them one at a time."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import hash_file
from builder.errors import DataError
from builder.project.config import Config


@dataclass(frozen=True, kw_only=True)
class DataFile:
    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True)
class DataSets:
    """The files of both sets, sorted by path; `calibration` is empty when none is declared."""

    calibration: tuple[DataFile, ...]
    evaluation: tuple[DataFile, ...]


def find_data(config: Config, folder: Path) -> DataSets:
    """Resolve the globs of [data]. Raises DataError for an empty set and for one picture in both sets."""
    evaluation = find_data_files(folder, config.data.evaluation, "evaluation")
    calibration = find_data_files(folder, config.data.calibration, "calibration") if config.data.calibration else ()
    known = {file.sha256: file.path for file in evaluation}
    for file in calibration:
        if file.sha256 in known:
            raise DataError(
                f"{file.path} is also the evaluation file {known[file.sha256].name}; evaluation must be held out: remove it from one set."
            )
    return DataSets(calibration=calibration, evaluation=evaluation)


def find_data_files(folder: Path, pattern: str, what: str, where: str = "[data]") -> tuple[DataFile, ...]:
    """The files that a glob of builder.toml names, sorted. Raises DataError where there are none."""
    paths = sorted(Path(name) for name in glob.glob(pattern, root_dir=folder, recursive=True))
    files = tuple(
        DataFile(path=folder / p, sha256=hash_file(folder / p))
        for p in paths
        if (folder / p).is_file() and not p.name.startswith(".")
    )
    if not files:
        raise DataError(
            f"no {what} files: {pattern!r} in {where} matches nothing in {folder}; add files or correct the pattern."
        )
    return files
