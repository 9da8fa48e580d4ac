"""Bins, classes and steps (`bucketize`, `searchsorted`, `one_hot`, `heaviside`) as the comparisons that they are.

No converter has the first two; torch makes `one_hot` of an assertion that TFLite refuses.
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
# Bins; each is a comparison of its own, so that no tensor has an axis more.
_MOST = 64


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.bucketize.Tensor": _bucketize,
            "aten.searchsorted.Tensor": _search_sorted,
            "aten.one_hot.default": _one_hot,
            "aten.heaviside.default": _step,
        },
    )


def _bucketize(x: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Any:
    """How many boundaries lie below each value; those that equal it count where `right`."""
    import torch

    count = boundaries.numel()
    if boundaries.ndim != 1 or not 0 < count <= _MOST:
        return NotImplemented
    bounds = [boundaries.narrow(0, number, 1) for number in range(count)]
    below = sum(((x >= bound) if right else (x > bound)).to(torch.float32) for bound in bounds)
    return below.to(torch.int32 if out_int32 else torch.int64)  # type: ignore[union-attr]


def _search_sorted(
    boundaries: Tensor,
    x: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Any:
    if sorter is not None:
        return NotImplemented
    return _bucketize(x, boundaries, out_int32=out_int32, right=right or side == "right")


def _one_hot(x: Tensor, num_classes: int = -1) -> Any:
    import torch

    if num_classes < 1:
        return NotImplemented
    return (x.unsqueeze(-1) == torch.arange(num_classes)).to(torch.int64)


def _step(x: Tensor, values: Tensor) -> Any:
    import torch

    if not x.is_floating_point():
        return NotImplemented
    return torch.where(x == 0, values, (x > 0).to(x.dtype))
