"""Goldens in a job's directory: an evaluation sample in few colours, and what the source model or a variant gives for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import GoldenTensor, TensorSpec
from builder.bundle.tensors import make_pixels, make_tensor, read_golden, write_picture
from builder.workers.jobs.folder import read_arrays

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# Of each colour: a photograph of 109 KB takes 26, and shows a device that computes wrongly as well.
LEVELS = 8


def simplify_sample(sample: Tensors, specs: Sequence[TensorSpec]) -> Tensors:
    """The sample with its pictures in 8 levels of each colour, black and white among them; every app carries them."""
    import numpy as np

    plain = dict(sample)
    for spec in specs:
        if spec.kind == "image":
            step = 255 / (LEVELS - 1)
            levels = np.round(np.round(make_pixels(sample[spec.name], spec) / step) * step)
            plain[spec.name] = make_tensor(levels.astype(np.uint8), spec)
    return plain


def write_golden(
    folder: Path, prefix: str, tensors: Tensors, specs: tuple[TensorSpec, ...]
) -> tuple[GoldenTensor, ...]:
    """Store tensors below `golden/`: pictures as PNG, the rest as raw little-endian float32."""
    (folder / "golden").mkdir(exist_ok=True)
    stored = []
    for spec in specs:
        is_picture = spec.kind == "image"
        name = f"golden/{prefix}.{spec.name}.{'png' if is_picture else 'f32'}"
        if is_picture:
            write_picture(folder / name, make_pixels(tensors[spec.name], spec))
        else:
            (folder / name).write_bytes(tensors[spec.name].astype("<f4").tobytes())
        stored.append(GoldenTensor(name=spec.name, file=name, encoding="png" if is_picture else "f32"))
    return tuple(stored)


def read_golden_sample(source: Path, stored: Sequence[GoldenTensor], specs: Sequence[TensorSpec]) -> Tensors:
    """The inputs of a golden as a device reads them from its files."""
    by_name = {tensor.name: tensor for tensor in stored}
    return {spec.name: read_golden(source, by_name[spec.name], spec).astype(spec.dtype) for spec in specs}


def name_golden_reference(number: int) -> str:
    """Where the source job keeps what the model gives for a golden, unrounded."""
    return f"reference/golden-{number}.npz"


def read_golden_reference(source: Path, number: int) -> Tensors:
    """What `name_golden_reference` names, by output."""
    return read_arrays(source / name_golden_reference(number))
