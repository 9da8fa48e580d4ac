"""Nearest upsampling by whole factors as concatenations of pixels and rows, for files that keep channels last.

There a row of doubled channels is a doubled row: nothing but concatenations and reshapes that move no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.nearest_upsampling import find_factors
from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/litert",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program, {"aten.upsample_nearest2d.vec": _nearest, "aten.upsample_nearest2d.default": _resize_nearest}
    )


def _resize_nearest(x: Tensor, size: Sequence[int], *_: Any) -> Any:
    return _nearest(x, size, None)


def _nearest(x: Tensor, size: Sequence[int] | None, scales: Sequence[float] | None) -> Any:
    import torch

    whole = find_factors(x, size, scales)
    if x.ndim != 4 or whole is None:
        return NotImplemented
    (up, across), (n, c, h, w) = whole, x.shape
    rows = torch.cat([x.permute(0, 2, 3, 1)] * across, dim=3).reshape(n, h, 1, w * across * c)
    return torch.cat([rows] * up, dim=2).reshape(n, h * up, w * across, c).permute(0, 3, 1, 2)
