"""Constant padding of tensors with more than four axes, one axis at a time on three: TFLite pads no more than five, Core ML has no more.

StyleGAN2 and the networks that build on it (GFPGAN and others) spread pixels so: a view of six axes, zeros behind two of them, and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
_MOST = 4  # axes that every backend and delegate pads as they are


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {"aten.pad.default": _pad, "aten.constant_pad_nd.default": _pad_axes},
        only=lambda node: node.args[0].meta["val"].ndim > _MOST,
    )


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    return _pad_axes(x, widths, value or 0.0) if mode == "constant" else NotImplemented


def _pad_axes(x: Tensor, widths: Sequence[int], value: float = 0.0) -> Any:
    """`widths` as torch takes them: (before, after) from the last axis on."""
    import torch

    if x.ndim <= _MOST or any(width < 0 for width in widths):
        return NotImplemented
    for place in range(len(widths) // 2):
        axis, (before, after) = x.ndim - 1 - place, widths[2 * place : 2 * place + 2]
        if before or after:
            sizes = list(x.shape)
            flat = x.reshape(prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :]))
            sizes[axis] += before + after
            x = torch.ops.aten.constant_pad_nd.default(flat, [0, 0, before, after], value).reshape(sizes)
    return x
