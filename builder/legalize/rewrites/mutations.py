"""Writes into tensors as what they compute: nothing is changed in place, and a part that is replaced is a concatenation.

A tensor that is written into later is no constant. After this rewrite every value is what its own operator gives, so that those
that follow need not ask who writes where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
_FRESH = ("aten.lift_fresh_copy.default", "aten.detach_.default")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    count = sum(_mutates(node) for node in program.graph.nodes)
    if count:
        program = make_functional(program)
    program, places = replace_calls(
        program,
        {
            "aten.slice_scatter.default": _slice_scatter,
            "aten.select_scatter.default": _select_scatter,
            "aten.copy.default": _copy,
            "aten.fill.Scalar": _fill,
            "aten.fill.Tensor": _fill,
        },
    )
    return program, count + places


def _mutates(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and (schema.is_mutable or str(node.target) in _FRESH)


def _copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return source.to(x.dtype).expand(x.shape)


def _fill(x: Tensor, value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(x.dtype).expand(x.shape)
    return torch.full(x.shape, value, dtype=x.dtype)


def _select_scatter(x: Tensor, source: Tensor, axis: int, index: int) -> Tensor:
    axis %= x.ndim
    start = index % x.shape[axis]
    return _join(x, source.unsqueeze(axis), axis, start, start + 1)


def _slice_scatter(
    x: Tensor, source: Tensor, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """`x` with `x[start:end:step]` replaced. Rows that come back every few are interleaved by a stack and a reshape."""
    import torch

    axis %= x.ndim
    first, last, _ = slice(start, end).indices(x.shape[axis])
    last = max(first, last)
    if step == 1:
        return _join(x, source, axis, first, last)
    whole = -(-(last - first) // step) * step
    if first + whole > x.shape[axis]:
        # The last group is not full: what is missing is padded, and cut off again.
        missing = first + whole - x.shape[axis]
        padding = torch.zeros_like(x.narrow(axis, 0, 1)).repeat_interleave(missing, axis)
        wider = torch.cat([x, padding], axis)
        return _interleave(wider, source, axis, first, whole, step).narrow(axis, 0, x.shape[axis])
    return _interleave(x, source, axis, first, whole, step)


def _interleave(x: Tensor, source: Tensor, axis: int, first: int, length: int, step: int) -> Tensor:
    import torch

    part = x.narrow(axis, first, length)
    shape = list(part.shape)
    grouped = part.reshape(*shape[:axis], length // step, step, *shape[axis + 1 :])
    rest = grouped.narrow(axis + 1, 1, step - 1)
    mixed = torch.cat([source.unsqueeze(axis + 1), rest], axis + 1).reshape(shape)
    return _join(x, mixed, axis, first, first + length)


def _join(x: Tensor, source: Tensor, axis: int, start: int, end: int) -> Tensor:
    """`source` between what is before `start` and behind `end`."""
    import torch

    before, after = x.narrow(axis, 0, start), x.narrow(axis, end, x.shape[axis] - end)
    parts = [part for part in (before, source, after) if part.shape[axis]]
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
