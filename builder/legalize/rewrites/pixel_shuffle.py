"""Pixel shuffle and unshuffle with channels last, so that a file in that layout turns the picture once, not three times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/litert",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.pixel_shuffle.default": _shuffle, "aten.pixel_unshuffle.default": _unshuffle})


def _shuffle(x: Tensor, factor: int) -> Any:
    """Shi et al. 2016: channel c * r * r + i * r + j becomes row i and column j of an r x r square."""
    if x.ndim != 4:
        return NotImplemented
    n, c, h, w = x.shape
    out = c // factor**2
    y = x.permute(0, 2, 3, 1).reshape(n * h, w, out, factor, factor).permute(0, 3, 1, 4, 2)
    return y.reshape(n, h * factor, w * factor, out).permute(0, 3, 1, 2)


def _unshuffle(x: Tensor, factor: int) -> Any:
    if x.ndim != 4:
        return NotImplemented
    n, c, h, w = x.shape
    y = x.permute(0, 2, 3, 1).reshape(n * h // factor, factor, w // factor, factor, c).permute(0, 2, 4, 1, 3)
    return y.reshape(n, h // factor, w // factor, c * factor**2).permute(0, 3, 1, 2)
