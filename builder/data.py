"""Calibration and evaluation data: which files, that no file is in both sets, and reading them one at a time."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec, file_sha256
from builder.config import Config
from builder.errors import BundleError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.generic]]


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
    evaluation = _files(folder, config.data.evaluation, "evaluation")
    calibration = _files(folder, config.data.calibration, "calibration") if config.data.calibration else ()
    known = {file.sha256: file.path for file in evaluation}
    for file in calibration:
        if file.sha256 in known:
            raise DataError(
                f"{file.path} is also the evaluation file {known[file.sha256].name}; evaluation must be held out: remove it from one set."
            )
    return DataSets(calibration=calibration, evaluation=evaluation)


def _files(folder: Path, pattern: str, what: str) -> tuple[DataFile, ...]:
    paths = sorted(Path(name) for name in glob.glob(pattern, root_dir=folder, recursive=True))
    files = tuple(
        DataFile(path=folder / p, sha256=file_sha256(folder / p))
        for p in paths
        if (folder / p).is_file() and not p.name.startswith(".")
    )
    if not files:
        raise DataError(
            f"no {what} files: {pattern!r} in [data] matches nothing in {folder}; add files or correct the pattern."
        )
    return files


def read_sample(path: Path, inputs: tuple[TensorSpec, ...]) -> Tensors:
    """One sample as logical tensors by input name: a picture for a single image input, or an .npz. Raises DataError."""
    from builder.bundle.tensors import pixels_to_tensor, read_picture

    if path.suffix == ".npz":
        return _read_npz(path, inputs)
    if len(inputs) != 1 or inputs[0].kind != "image":
        names = ", ".join(spec.name for spec in inputs)
        raise DataError(
            f"{path} is not an .npz file, which a model with inputs {names} needs; save one array per input name."
        )
    try:
        return {inputs[0].name: pixels_to_tensor(read_picture(path, inputs[0]), inputs[0])}
    except BundleError as error:
        raise DataError(str(error)) from error


def _read_npz(path: Path, inputs: tuple[TensorSpec, ...]) -> Tensors:
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a readable .npz file ({error}); write it with numpy.savez.") from error
    for spec in inputs:
        if spec.name not in arrays:
            raise DataError(f"{path} has no array {spec.name!r}; it has {', '.join(sorted(arrays)) or 'none'}.")
        if arrays[spec.name].shape != spec.shape:
            raise DataError(
                f"{path} has {spec.name!r} of shape {list(arrays[spec.name].shape)}, the model takes {list(spec.shape)}."
            )
        if arrays[spec.name].dtype.kind == "f" and not np.isfinite(arrays[spec.name]).all():
            raise DataError(f"{path} has NaN or infinite values in {spec.name!r}; remove or correct it.")
    return {spec.name: arrays[spec.name].astype(spec.dtype) for spec in inputs}


def read_samples(files: tuple[Path, ...], inputs: tuple[TensorSpec, ...]) -> Iterator[Tensors]:
    """The samples one at a time: a set of any size needs the memory of one."""
    for path in files:
        yield read_sample(path, inputs)
