"""Assertions that torch leaves in a graph, as `one_hot` and named shapes do: they compute nothing, and converters do not know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
_CHECKS = (
    "_assert_async",
    "_assert_scalar",
    "_assert_tensor_metadata",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    checks = [node for node in program.graph.nodes if _is_check(node)]
    if not checks:
        return program, 0
    # In place: without them the graph computes the same, so nobody takes it back.
    for node in checks:
        program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program, len(checks)


def _is_check(node: Node) -> bool:
    """One without users; a value that goes on is left for others to judge."""
    parts = str(node.target).split(".")
    return node.op == "call_function" and parts[0] == "aten" and parts[1] in _CHECKS and not node.users
