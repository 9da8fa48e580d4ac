"""Expansions that stay, as concatenations of copies: the TFLite converter, which puts channels last, leaves their sizes where they were.

Arithmetic expands its operands itself (`scalars`), so this is what is left. A product with ones would be taken for an expansion again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY = ("litert",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.expand.default": _expand}, only=_is_of_pictures)


def _is_of_pictures(node: Node) -> bool:
    value = node.meta["val"]
    return bool(value.ndim == 4 and value.is_floating_point())


def _expand(x: Tensor, sizes: Sequence[int], *, implicit: bool = False) -> Any:
    """`sizes` for each axis from the last one on, -1 leaves one as it is (torch.Tensor.expand)."""
    if len(sizes) != 4 or not x.is_floating_point():
        return NotImplemented
    x = x.reshape([1] * (4 - x.ndim) + list(x.shape))
    for axis, size in enumerate(sizes):
        if x.shape[axis] != size and size != -1:
            x = _copy(x, axis, size)
    return x


def _copy(x: Tensor, axis: int, count: int) -> Tensor:
    """So many copies of an axis of size one, by doubling."""
    import torch

    while x.shape[axis] < count:
        x = torch.cat([x, x.narrow(axis, 0, min(x.shape[axis], count - x.shape[axis]))], axis)
    return x
