"""`repeat` and `tile` as concatenations of copies: the TFLite converter, which puts channels last, leaves their counts where they were.

An axis of size one is expanded, as arithmetic does it itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, join, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.repeat.default": _repeat, "aten.tile.default": _repeat})


def _repeat(x: Tensor, counts: Sequence[int]) -> Tensor:
    """`counts` for each axis from the last one on; more of them than axes make new axes in front (torch.Tensor.repeat, torch.tile)."""
    counts = [1] * (x.ndim - len(counts)) + list(counts)
    x = x.reshape([1] * (len(counts) - x.ndim) + list(x.shape))
    ones = [size == 1 for size in x.shape]
    x = x.expand([count if one else size for one, size, count in zip(ones, x.shape, counts, strict=True)])
    for axis, (one, count) in enumerate(zip(ones, counts, strict=True)):
        if not one and count > 1:
            x = join([x] * count, axis)
    return x
