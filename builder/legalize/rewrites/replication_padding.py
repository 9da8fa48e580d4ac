"""Replication padding as concatenations of the border's rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, join, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program,
        {
            "aten.pad.default": _pad,
            "aten.replication_pad2d.default": _repeat,
            "aten.replication_pad1d.default": _repeat,
        },
        only=lambda node: "replication_pad" in str(node.target) or (len(node.args) > 2 and node.args[2] == "replicate"),
    )


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    return _repeat(x, widths) if mode == "replicate" else NotImplemented


def _repeat(x: Tensor, widths: Sequence[int]) -> Any:
    """`widths` as torch takes them: (before, after) from the last axis on."""
    if any(width < 0 for width in widths):
        return NotImplemented
    for place in range(len(widths) // 2):
        axis, before, after = x.ndim - 1 - place, widths[2 * place], widths[2 * place + 1]
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        head = [join([first] * before, axis)] if before > 1 else [first] * before
        tail = [join([last] * after, axis)] if after > 1 else [last] * after
        x = join([*head, x, *tail], axis) if head or tail else x
    return x
