"""Writes to chosen channels, rows or pixels (`x[:, [0, 3]] = y`, `x[x < 0] = 0`) as a choice between the old value and the new one.

Core ML has no such write with places on any axis but the first, and a mask is a number of places that no file can state. What is
added to places (`index_add`) is a product with the matrix of places: TFLite and Core ML have no sum of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.index_put.default": _write,
            "aten.index_put_.default": _write,
            "aten.index_copy.default": _copy,
            "aten.index_add.default": _add,
        },
    )


def _copy(x: Tensor, axis: int, places: Tensor, values: Tensor) -> Any:
    indices: list[Tensor | None] = [None] * (axis % max(x.ndim, 1))
    return _write(x, [*indices, places], values)


def _add(x: Tensor, axis: int, places: Tensor, values: Tensor, *, alpha: float = 1) -> Any:
    if places.ndim != 1 or x.ndim < 2 or not x.is_floating_point():
        return NotImplemented
    axis %= x.ndim
    matrix = _compare_places(places, x.shape[axis]).to(x.dtype) * alpha
    rows = values.transpose(axis, -1)
    added = (rows.reshape(-1, rows.shape[-1]) @ matrix.t()).reshape(*rows.shape[:-1], x.shape[axis])
    return x + added.transpose(axis, -1)


def _write(x: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Any:
    """Of one index alone: a list of places on one axis, or a mask with one value for all that it takes."""
    import torch

    axes = [axis for axis, index in enumerate(indices) if index is not None]
    if accumulate or len(axes) != 1 or not x.is_floating_point():
        return NotImplemented
    axis, index = axes[0], indices[axes[0]]
    if index.dtype in (torch.bool, torch.uint8):  # type: ignore[union-attr]
        return _write_masked(x, axis, index, values)
    if index.ndim != 1:  # type: ignore[union-attr]
        return NotImplemented
    return _write_places(x, axis, index, values)


def _write_masked(x: Tensor, axis: int, mask: Any, values: Tensor) -> Any:
    import torch

    if values.numel() != 1:
        return NotImplemented
    behind = x.ndim - axis - mask.ndim
    return torch.where(mask.bool().reshape(*mask.shape, *[1] * behind), values.reshape(()).to(x.dtype), x)


def _write_places(x: Tensor, axis: int, places: Any, values: Tensor) -> Tensor:
    """Which place of `values` each place of the axis is given, the last of equals, as torch on one thread has it."""
    import torch

    size, count = x.shape[axis], places.shape[0]
    given = _compare_places(places, size)
    behind = x.ndim - axis - 1
    chosen = given.any(1).reshape(size, *[1] * behind)
    missing = x.ndim - values.ndim
    values = values.reshape(*[1] * missing, *values.shape).to(x.dtype)
    if values.shape[axis] != 1:
        number = (given.to(torch.int64) * (torch.arange(count) + 1)).amax(1)
        values = values.index_select(axis, (number - 1).clamp(min=0))
    return torch.where(chosen, values, x)


def _compare_places(places: Tensor, size: int) -> Tensor:
    """[size, places]: whether each place of an axis is that one of the list; places count from the end where negative."""
    import torch

    places = torch.where(places < 0, places + size, places)
    return places.reshape(1, -1) == torch.arange(size).reshape(size, 1)
