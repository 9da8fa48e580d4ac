"""Whole numbers in float arithmetic become floats, and an expansion that arithmetic does by itself is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
_ARITHMETIC = ("aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor")
_EXPANSIONS = ("aten.expand.default", "aten.expand_as.default")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    if not any(_is_mixed(node) or _is_needless(node) for node in program.graph.nodes):
        return program, 0
    program = program.run_decompositions({})  # a copy: the graph is edited in place
    count = 0
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
        str(user.target) in _ARITHMETIC
        and any(other is not node and other.meta["val"].shape == shape for other in user.all_input_nodes)
        for user in node.users
    )
