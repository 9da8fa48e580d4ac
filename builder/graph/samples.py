"""Calibration and evaluation samples as tensors: pictures or .npz files.

A network of one plane (`kind = "tensor"`, `[1, 1, height, width]`, with a `range`) takes photographs by their brightness.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import TensorSpec
from builder.errors import BundleError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.graph.tensors import Tensors

# Beyond the declared range: rounding of values that were once pixels.
ONE_LEVEL = 1 / 255


def read_sample(path: Path, inputs: tuple[TensorSpec, ...]) -> Tensors:
    """One sample as logical tensors by input name: a picture for a single image input, or an .npz. Raises DataError."""
    from builder.bundle.tensors import make_tensor, read_picture

    if path.suffix == ".npz":
        return _read_npz(path, inputs)
    if len(inputs) == 1 and inputs[0].kind == "tensor" and is_plane(inputs[0].shape):
        return {inputs[0].name: _read_plane(path, inputs[0])}
    if len(inputs) != 1 or inputs[0].kind != "image":
        names = ", ".join(spec.name for spec in inputs)
        raise DataError(
            f"{path} is not an .npz file, which a model with inputs {names} needs; save one array per input name."
        )
    try:
        return {inputs[0].name: make_tensor(read_picture(path, inputs[0]), inputs[0])}
    except BundleError as error:
        raise DataError(str(error)) from error


def is_plane(shape: tuple[int, ...]) -> bool:
    """Whether a tensor holds one number for each pixel of one picture, as the input of a network for grey pictures or for luma does."""
    return len(shape) == 4 and shape[:2] == (1, 1)


def _read_plane(path: Path, spec: TensorSpec) -> NDArray[np.float32]:
    """Brightness by ITU-R BT.601, in the range of the input. Raises DataError."""
    import numpy as np

    from builder.bundle.tensors import read_picture

    if spec.range is None:
        raise DataError(
            f"{path} is a picture, and the input {spec.name!r} has no 'range' for its brightness; write range = [0.0, 1.0], or what the "
            "network takes, under [[input]]."
        )
    try:
        pixels = read_picture(path, spec).astype(np.float64)
    except BundleError as error:
        raise DataError(str(error)) from error
    unit = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    low, high = spec.range
    plane: NDArray[np.float32] = (low + (high - low) * unit)[None, None].astype(spec.dtype)
    return plane


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
        _refuse_other_units(arrays[spec.name], spec, path)
    return {spec.name: arrays[spec.name].astype(spec.dtype) for spec in inputs}


def _refuse_other_units(values: NDArray[np.generic], spec: TensorSpec, path: Path) -> None:
    """Raises DataError for values outside of the declared range by more than one level of 255, or that use one level of it only."""
    import numpy as np

    from builder.bundle.tensors import scale_to_unit

    unit: NDArray[np.floating[Any]]
    if spec.kind == "image":
        unit = scale_to_unit(values, spec)
    elif spec.range is not None:
        unit = (values.astype(np.float64) - spec.range[0]) / (spec.range[1] - spec.range[0])
    else:
        return
    low, high = float(values.min()), float(values.max())
    said = f"range = [{spec.range[0]:g}, {spec.range[1]:g}]" if spec.range else "its mean and std"
    has = f"{path} has {spec.name!r} from {low:.4g} to {high:.4g}"
    if unit.min() < -ONE_LEVEL or unit.max() > 1 + ONE_LEVEL:
        raise DataError(
            f"{has} ({values.dtype}), outside of what builder.toml says ({said}); save what the model takes, or correct the range."
        )
    if spec.kind == "image" and 0 < float(np.ptp(unit)) <= ONE_LEVEL and 0 <= low < high <= 1:
        raise DataError(
            f"{has}, which is one level of what builder.toml says ({said}); save what the model takes, or correct the range."
        )


def read_samples(files: tuple[Path, ...], inputs: tuple[TensorSpec, ...]) -> Iterator[Tensors]:
    """The samples one at a time: a set of any size needs the memory of one."""
    for path in files:
        yield read_sample(path, inputs)
