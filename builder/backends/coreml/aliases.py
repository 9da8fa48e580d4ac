"""The exported program without the nodes that coremltools' export front end does not know and that copy nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_ALIASES = (
    "aten.alias.default",
    "aten.alias_copy.default",
    "aten.detach.default",
    "aten.lift_fresh_copy.default",
)


def without_aliases(program: ExportedProgram) -> ExportedProgram:
    """A functional copy whose alias nodes are replaced by what they stand for; the values are the same."""
    functional: ExportedProgram = program.run_decompositions({})
    graph = functional.graph
    for node in list(graph.nodes):
        if node.op == "call_function" and str(node.target) in _ALIASES:
            source = node.all_input_nodes[0]
            node.replace_all_uses_with(source)
            functional.graph_signature.replace_all_uses(node.name, source.name)
            graph.erase_node(node)
    functional.graph_module.recompile()
    return functional
