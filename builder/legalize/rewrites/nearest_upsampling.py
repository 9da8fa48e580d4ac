"""Nearest upsampling by whole factors as copies side by side and a pixel shuffle.

XNNPACK in ExecuTorch has no nearest resize. Its concatenation wants different tensors, so the copies are made by a factor of
one; measured on 32 and 64 channels this is faster than the portable kernel and the two changes of delegate around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/edge",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program, {"aten.upsample_nearest2d.vec": _nearest, "aten.upsample_nearest2d.default": _resize_nearest}
    )


def find_factors(x: Tensor, size: Sequence[int] | None, scales: Sequence[float] | None) -> tuple[int, int] | None:
    """Whole factors of height and width, or None."""
    height, width = x.shape[2], x.shape[3]
    if size is None:
        if scales is None:
            return None
        size = [int(height * scales[0]), int(width * scales[1])]
    if size[0] % height or size[1] % width:
        return None
    return size[0] // height, size[1] // width


def _resize_nearest(x: Tensor, size: Sequence[int], *_: Any) -> Any:
    return _nearest(x, size, None)


def _nearest(x: Tensor, size: Sequence[int] | None, scales: Sequence[float] | None) -> Any:
    import torch

    whole = find_factors(x, size, scales)
    if x.ndim != 4 or whole is None:
        return NotImplemented
    (up, across), (n, c, h, w) = whole, x.shape
    if up == across == 1:
        return x
    flat = x.reshape(n, c, 1, h * w)
    copies = torch.cat([flat, *([flat * 1.0] * (up * across - 1))], dim=2)
    return copies.reshape(n, c, up, across, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c, h * up, w * across)
