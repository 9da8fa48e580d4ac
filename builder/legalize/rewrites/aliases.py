"""Operators by the name that torch itself gives them: `subtract` is `sub`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
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
# Arguments before their scales.
_RESIZING = {"aten.upsample_nearest2d.default": 2, "aten.upsample_bilinear2d.default": 3}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    if not any(_plain(node) is not None or _is_sized(node) for node in program.graph.nodes):
        return program, 0
    count = 0
    for node in program.graph.nodes:  # before the copy is made, which would write the resizing out
        if _is_sized(node):
            node.args = (*node.args[: _RESIZING[str(node.target)]], None)
            node.target = node.target.overloadpacket.vec
            count += 1
    program.graph_module.recompile()
    program = make_functional(program)  # a copy: the graph is edited in place
    for node in program.graph.nodes:
        target = _plain(node)
        if target is not None:
            node.target = target
            count += 1
    program.graph_module.recompile()
    return program, count


def _is_sized(node: Any) -> bool:
    """Resizing to a stated size, not in the form that `interpolate` has: files hold it, and one backend lacks it."""
    count = _RESIZING.get(str(node.target)) if node.op == "call_function" else None
    return count is not None and not any(scale is not None for scale in node.args[count:]) and not node.kwargs


def _plain(node: Any) -> Any:
    """The operator that this one is another name of, or None."""
    import torch

    parts = str(node.target).split(".")
    if node.op != "call_function" or parts[0] != "aten" or parts[1] not in _NAMES:
        return None
    return getattr(getattr(torch.ops.aten, _NAMES[parts[1]], None), parts[-1], None)
