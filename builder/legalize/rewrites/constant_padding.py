"""Constant padding in the form that all take: of four axes at most, and never negative.

TFLite pads no more than five axes and Core ML has no more. StyleGAN2 and the networks that build on it (GFPGAN and others) spread pixels
so: a view of six axes, zeros behind two of them, and back. Negative widths cut, and are slices.
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
# Axes that every backend and delegate pads as they are.
_MOST = 4


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {"aten.pad.default": _pad, "aten.constant_pad_nd.default": _pad_axes},
        only=lambda node: node.args[0].meta["val"].ndim > _MOST or any(width < 0 for width in node.args[1]),
    )


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    if mode == "constant":
        return _pad_axes(x, widths, value or 0.0)
    if all(width >= 0 for width in widths):
        return NotImplemented
    from torch.nn.functional import pad

    return _cut(pad(x, [max(width, 0) for width in widths], mode), widths)


def _pad_axes(x: Tensor, widths: Sequence[int], value: float = 0.0) -> Any:
    """`widths` as torch takes them: (before, after) from the last axis on. One axis at a time on three, where there are more than four."""
    import torch

    cuts = any(width < 0 for width in widths)
    if x.ndim <= _MOST and not cuts:
        return NotImplemented
    x = _cut(x, widths)
    widths = [max(width, 0) for width in widths]
    plain = torch.ops.aten.constant_pad_nd.default
    if x.ndim <= _MOST:
        return plain(x, widths, value) if any(widths) else x
    for place in range(len(widths) // 2):
        axis, (before, after) = x.ndim - 1 - place, widths[2 * place : 2 * place + 2]
        if before or after:
            sizes = list(x.shape)
            flat = x.reshape(prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :]))
            sizes[axis] += before + after
            x = plain(flat, [0, 0, before, after], value).reshape(sizes)
    return x


def _cut(x: Tensor, widths: Sequence[int]) -> Tensor:
    """Without what negative widths take away."""
    for place in range(len(widths) // 2):
        axis, (before, after) = x.ndim - 1 - place, widths[2 * place : 2 * place + 2]
        if before < 0 or after < 0:
            first = max(-before, 0)
            x = x.narrow(axis, first, x.shape[axis] - first - max(-after, 0))
    return x
