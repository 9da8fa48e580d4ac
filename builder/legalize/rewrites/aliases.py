"""Operators by the name that torch itself gives them: `subtract` is `sub`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Other names that numpy knows, and so Keras writes; their overloads are the same.
_NAMES = {
    "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg", "absolute": "abs", "clip": "clamp",
    "concat": "cat", "concatenate": "cat", "swapaxes": "transpose", "swapdims": "transpose", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "not_equal": "ne", "fix": "trunc", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "special_expm1": "expm1",
    "special_erf": "erf", "special_expit": "sigmoid", "row_stack": "vstack",
}  # fmt: skip


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    program, count = replace_calls(
        program,
        {"aten.upsample_nearest2d.default": _resize_nearest, "aten.upsample_bilinear2d.default": _resize_linear},
    )
    if not any(_plain(node) is not None for node in program.graph.nodes):
        return program, count
    program = make_functional(program)  # a copy: the graph is edited in place
    for node in program.graph.nodes:
        target = _plain(node)
        if target is not None:
            node.target = target
            count += 1
    program.graph_module.recompile()
    return program, count


def _resize_nearest(x: Tensor, size: Sequence[int], up: float | None = None, across: float | None = None) -> Any:
    """In the form that `interpolate` has; files hold the other, which one backend's operators lack."""
    import torch

    if up is not None or across is not None:
        return NotImplemented  # the scales decide which rows are read
    return torch.ops.aten.upsample_nearest2d.vec(x, size, None)


def _resize_linear(
    x: Tensor, size: Sequence[int], corners: bool, up: float | None = None, across: float | None = None
) -> Any:
    import torch

    if up is not None or across is not None:
        return NotImplemented
    return torch.ops.aten.upsample_bilinear2d.vec(x, size, corners, None)


def _plain(node: Any) -> Any:
    """The operator that this one is another name of, or None."""
    import torch

    parts = str(node.target).split(".")
    if node.op != "call_function" or parts[0] != "aten" or parts[1] not in _NAMES:
        return None
    return getattr(getattr(torch.ops.aten, _NAMES[parts[1]], None), parts[-1], None)
