"""Split, chunk, unbind, select and roll as slices: each part is cut out on its own, and nothing is copied twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/edge",)
CURES = {"split_with_sizes_copy": ("split", "leave 'splits' on in [legalize]")}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.split.Tensor": _split,
            "aten.split_with_sizes.default": _parts,
            "aten.chunk.default": _chunk,
            "aten.unbind.int": _unbind,
            "aten.select.int": _select,
            "aten.roll.default": _roll,
        },
    )


def _parts(x: Tensor, sizes: Sequence[int], axis: int = 0) -> list[Tensor]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [x.narrow(axis, start, size) for start, size in zip(starts, sizes, strict=True)]


def _split(x: Tensor, size: int, axis: int = 0) -> list[Tensor]:
    total = x.shape[axis]
    return _parts(x, [min(size, total - start) for start in range(0, total, size)], axis)


def _chunk(x: Tensor, chunks: int, axis: int = 0) -> list[Tensor]:
    return _split(x, -(-x.shape[axis] // chunks), axis)


def _select(x: Tensor, axis: int, index: int) -> Tensor:
    axis %= x.ndim
    shape = [size for place, size in enumerate(x.shape) if place != axis]
    return x.narrow(axis, index % x.shape[axis], 1).reshape(shape)


def _unbind(x: Tensor, axis: int = 0) -> list[Tensor]:
    return [_select(x, axis, index) for index in range(x.shape[axis])]


def _roll(x: Tensor, shifts: Sequence[int], axes: Sequence[int] = ()) -> Any:
    import torch

    if not axes:
        return NotImplemented
    for shift, axis in zip(shifts, axes, strict=True):
        size = x.shape[axis]
        cut = size - shift % size
        if cut < size:
            x = torch.cat([x.narrow(axis, cut, size - cut), x.narrow(axis, 0, cut)], dim=axis)
    return x
