"""Circular padding as a concatenation of the picture and its own far sides: Core ML has no such mode, and delegates take no gathers."""

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
    return replace_calls(
        program,
        {"aten.pad.default": _pad, "aten._pad_circular.default": _wrap},
        only=lambda node: "circular" in str(node.target) or (len(node.args) > 2 and node.args[2] == "circular"),
    )


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    return _wrap(x, widths) if mode == "circular" else NotImplemented


def _wrap(x: Tensor, widths: Sequence[int]) -> Any:
    """`widths` as torch takes them: (before, after) from the last axis on."""
    if any(width < 0 for width in widths):
        return NotImplemented
    for place in range(len(widths) // 2):
        axis, (before, after) = x.ndim - 1 - place, widths[2 * place : 2 * place + 2]
        size = x.shape[axis]
        parts = [x.narrow(axis, size - before, before)] if before else []
        parts += [x]
        parts += [x.narrow(axis, 0, after)] if after else []
        x = join(parts, axis)
    return x
