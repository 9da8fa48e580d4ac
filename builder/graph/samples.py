"""Calibration and evaluation samples as tensors: pictures or .npz files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec
from builder.errors import BundleError, DataError

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors


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
