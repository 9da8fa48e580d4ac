"""Reflection padding as slices and concatenations of rows and columns; delegates take those, and gather indices not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, joined, replaced

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replaced(
        program,
        {
            "aten.pad.default": _pad,
            "aten.reflection_pad2d.default": _reflect,
            "aten.reflection_pad1d.default": _reflect,
        },
        only=lambda node: "reflection_pad" in str(node.target) or (len(node.args) > 2 and node.args[2] == "reflect"),
    )


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    return _reflect(x, widths) if mode == "reflect" else NotImplemented


def _reflect(x: Tensor, widths: Sequence[int]) -> Any:
    """`widths` as torch takes them: (before, after) from the last axis on. The border itself is not repeated."""
    if any(width < 0 for width in widths):
        return NotImplemented
    for place in range(len(widths) // 2):
        axis, before, after = x.ndim - 1 - place, widths[2 * place], widths[2 * place + 1]
        size = x.shape[axis]
        head = [x.narrow(axis, index, 1) for index in range(before, 0, -1)]
        tail = [x.narrow(axis, size - 1 - index, 1) for index in range(1, after + 1)]
        for part in (head, tail):  # the picture itself is copied in one last, wide step
            part[:] = [joined(part, axis)] if len(part) > 1 else part
        x = joined([*head, x, *tail], axis) if head or tail else x
    return x
