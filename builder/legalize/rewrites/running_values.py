"""Running products and extremes (`cumprod`, `cummax`, `logcumsumexp`) step by step along their axis; only running sums have an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, join, reads_places, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Steps, each an operator of its own.
_MOST = 64


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    functions: dict[str, Callable[..., Any]] = {
        "aten.cumprod.default": lambda x, axis, *, dtype=None: _run(torch.mul, x, axis, dtype),
        "aten.logcumsumexp.default": lambda x, axis: _run(torch.logaddexp, x, axis),
    }
    for name, choose in (("cummax", torch.maximum), ("cummin", torch.minimum)):
        if not reads_places(program, f"aten.{name}.default"):
            functions[f"aten.{name}.default"] = _with_places(choose)
    return replace_calls(program, functions)


def _run(step: Callable[[Tensor, Tensor], Tensor], x: Tensor, axis: int, dtype: Any = None) -> Any:
    if dtype not in (None, x.dtype) or not x.is_floating_point() or x.ndim == 0 or not 0 < x.shape[axis] <= _MOST:
        return NotImplemented
    return join(list(accumulate((x.narrow(axis, number, 1) for number in range(x.shape[axis])), step)), axis)


def _with_places(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, int], Any]:
    """Places, which nothing reads, are zeros."""
    import torch

    def run(x: Tensor, axis: int) -> Any:
        values = _run(choose, x, axis)
        return values if values is NotImplemented else (values, torch.zeros(x.shape, dtype=torch.int64))

    return run
