"""Whole numbers in float arithmetic become floats, `alpha` a product; an expansion that arithmetic does by itself is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional, replace_calls

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack/edge",)
_ARITHMETIC = ("aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor")
_BROADCASTING = (*_ARITHMETIC, "aten.maximum.default", "aten.minimum.default", "aten.where.self")
_EXPANSIONS = ("aten.expand.default", "aten.expand_as.default")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    program, count = replace_calls(
        program,
        {
            "aten.add.Tensor": _add,
            "aten.sub.Tensor": _sub,
            "aten.rsub.Scalar": _rsub,
            "aten.rsub.Tensor": _subtract_reversed,
        },
        only=_has_alpha,
    )
    if not any(_is_mixed(node) or _is_needless(node) for node in program.graph.nodes):
        return program, count
    program = make_functional(program)  # a copy: the graph is edited in place
    for node in list(program.graph.nodes):
        if _is_mixed(node):
            node.args = (node.args[0], float(node.args[1]))
            count += 1
        elif _is_needless(node):
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
            count += 1
    program.graph_module.recompile()
    return program, count


def _has_alpha(node: Node) -> bool:
    return (
        bool(node.kwargs.get("alpha", 1) != 1)
        or (str(node.target) == "aten.rsub.Scalar" and len(node.args) > 2)
        or str(node.target) == "aten.rsub.Tensor"
    )


def _add(x: Any, y: Any, *, alpha: float = 1) -> Any:
    return NotImplemented if alpha == 1 else x + y * alpha


def _sub(x: Any, y: Any, *, alpha: float = 1) -> Any:
    return NotImplemented if alpha == 1 else x - y * alpha


def _rsub(x: Any, y: Any, alpha: float = 1) -> Any:
    return NotImplemented if alpha == 1 else y - x * alpha


def _subtract_reversed(x: Any, y: Any, *, alpha: float = 1) -> Any:
    return y - (x if alpha == 1 else x * alpha)


def _is_mixed(node: Node) -> bool:
    """A float tensor and an integer, which goes through a tensor of integers and a conversion."""
    return (
        node.op == "call_function"
        and str(node.target) in _ARITHMETIC
        and not node.kwargs
        and len(node.args) == 2
        and type(node.args[1]) is int
        and node.args[0].meta["val"].is_floating_point()  # type: ignore[union-attr]
    )


def _is_needless(node: Node) -> bool:
    """An expansion, all of whose readers are arithmetic with another operand of the full shape."""
    if node.op != "call_function" or str(node.target) not in _EXPANSIONS:
        return False
    shape = node.meta["val"].shape
    source: Any = node.args[0]
    return source.meta["val"].ndim == len(shape) and all(
        str(user.target) in _BROADCASTING
        and any(other is not node and other.meta["val"].shape == shape for other in user.all_input_nodes)
        for user in node.users
    )
