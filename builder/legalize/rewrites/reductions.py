"""Means, sums, variances and lengths over axes that a delegate does not reduce, as those that it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.statistics import average
from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack/edge",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.mean.dim": _mean,
            "aten.sum.dim_IntList": _sum,
            "aten.var.dim": _var_dim,
            "aten.var.correction": _var,
            "aten.std.dim": _std_dim,
            "aten.std.correction": _std,
            "aten.linalg_vector_norm.default": _length,
        },
        only=lambda node: not _is_plain(node),
    )


def _is_plain(node: Any) -> bool:
    """The mean of height and width with both axes kept, which delegates take as it is."""
    if str(node.target) != "aten.mean.dim" or len(node.args) < 3 or not node.args[2]:
        return False
    value = node.args[0].meta["val"]
    return value.ndim == 4 and sorted(axis % 4 for axis in node.args[1] or ()) == [2, 3]


def _mean(x: Tensor, axes: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    wanted = sorted(axis % x.ndim for axis in axes or range(x.ndim))
    if dtype is not None or not x.is_floating_point() or (x.ndim == 4 and wanted == [2, 3] and keepdim):
        return NotImplemented
    return _keep_dimensions(x, average(x, wanted), wanted, keepdim)


def _sum(x: Tensor, axes: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    wanted = sorted(axis % x.ndim for axis in axes or range(x.ndim))
    if dtype is not None or not x.is_floating_point():
        return NotImplemented
    mean = average(x, wanted)
    return NotImplemented if mean is None else _keep_dimensions(x, mean * _count(x, wanted), wanted, keepdim)


def _var_dim(x: Tensor, axes: Sequence[int] | None, unbiased: bool = True, keepdim: bool = False) -> Any:
    return _var(x, axes, correction=1 if unbiased else 0, keepdim=keepdim)


def _var(x: Tensor, axes: Sequence[int] | None = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    wanted = sorted(axis % x.ndim for axis in axes or range(x.ndim))
    centre = average(x, wanted)
    if centre is None:
        return NotImplemented
    centred, count = x - centre, _count(x, wanted)
    squares = average(centred * centred, wanted)
    divisor = count - (1 if correction is None else correction)
    return (
        NotImplemented
        if squares is None or divisor <= 0
        else _keep_dimensions(x, squares * (count / divisor), wanted, keepdim)
    )


def _std_dim(x: Tensor, axes: Sequence[int] | None, unbiased: bool = True, keepdim: bool = False) -> Any:
    return _std(x, axes, correction=1 if unbiased else 0, keepdim=keepdim)


def _std(x: Tensor, axes: Sequence[int] | None = None, *, correction: float | None = 1, keepdim: bool = False) -> Any:
    import torch

    variance = _var(x, axes, correction=correction, keepdim=keepdim)
    return NotImplemented if variance is NotImplemented else torch.sqrt(variance)


def _length(x: Tensor, order: float = 2, axes: Sequence[int] | None = None, keepdim: bool = False, **_: Any) -> Any:
    import torch

    total = _sum(x * x, axes, keepdim) if order == 2 else NotImplemented
    return NotImplemented if total is NotImplemented else torch.sqrt(total)


def _count(x: Tensor, axes: Sequence[int]) -> float:
    """A float: a product with an integer goes through a tensor of integers."""
    return float(math.prod(x.shape[axis] for axis in axes))


def _keep_dimensions(x: Tensor, result: Tensor | None, axes: Sequence[int], keepdim: bool) -> Any:
    if result is None:
        return NotImplemented
    return result if keepdim else result.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])
