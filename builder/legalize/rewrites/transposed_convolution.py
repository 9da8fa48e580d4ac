"""Transposed convolutions without padding, and a cut: the TFLite converter knows few kinds of padding and no output padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY = ("litert",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.conv_transpose2d.input": _convolve_transposed}, only=_needs_it)


def _needs_it(node: Any) -> bool:
    arguments = (*node.args, *(None,) * (8 - len(node.args)))
    return any(arguments[4] or (0,)) or any(arguments[5] or (0,))


def _convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    output_padding: Sequence[int] = (0, 0),
    groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Any:
    """Padding p takes p rows and columns off all sides of the result; output padding gives some back at the end."""
    from torch.nn.functional import conv_transpose2d

    strides, pads, extra = (_pair(value) for value in (stride, padding, output_padding))
    if not any((*pads, *extra)) or any(more > less for more, less in zip(extra, pads, strict=True)):
        return NotImplemented  # more given back than taken off: rows that no input reaches
    full = conv_transpose2d(x, weight, bias, strides, 0, 0, groups, _pair(dilation))
    for axis in (2, 3):
        pad, more = pads[axis - 2], extra[axis - 2]
        full = full.narrow(axis, pad, full.shape[axis] - 2 * pad + more)
    return full


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
