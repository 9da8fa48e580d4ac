"""Reflection padding as slices and concatenations of rows and columns; delegates take those, and gather indices not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, WIDEST, join, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack",)
_LEAVE_ON = "reflection padding: leave 'reflection_padding' on in [legalize]"
CURES = {"index": ("pad", _LEAVE_ON), "mirror_pad": ("pad", _LEAVE_ON)}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
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
    """`widths` as torch takes them: (before, after) from the last axis on. The border itself is not repeated.

    A few rows, then a few columns, and so on in turn: a converter joins concatenations of one axis that follow one another,
    and delegates take no wide ones.
    """
    if any(width < 0 for width in widths):
        return NotImplemented
    axes = {x.ndim - 1 - place: (widths[2 * place], widths[2 * place + 1]) for place in range(len(widths) // 2)}
    sizes = {axis: x.shape[axis] for axis in axes}
    before, after = dict.fromkeys(axes, 0), dict.fromkeys(axes, 0)
    while any((before[axis], after[axis]) != axes[axis] for axis in axes):
        for ahead in (True, False):
            for axis, (head, tail) in axes.items():
                done, wanted = (before[axis], head) if ahead else (after[axis], tail)
                new = range(done + 1, min(wanted, done + WIDEST - 1) + 1)
                if not new:
                    continue
                first = before[axis]  # where the picture itself begins
                if ahead:
                    x = join([*(x.narrow(axis, first + index, 1) for index in reversed(new)), x], axis)
                    before[axis] += len(new)
                else:
                    last = first + sizes[axis] - 1
                    x = join([x, *(x.narrow(axis, last - index, 1) for index in new)], axis)
                    after[axis] += len(new)
    return x
