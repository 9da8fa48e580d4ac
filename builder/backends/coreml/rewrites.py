"""Small rewrites of the exported program where coremltools' export front end stops, or silently computes something else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

_ALIASES = (
    "aten.alias.default",
    "aten.alias_copy.default",
    "aten.detach.default",
    "aten.lift_fresh_copy.default",
)


def for_coremltools(program: ExportedProgram) -> ExportedProgram:
    """A functional copy that computes the same and that coremltools 9.0 converts faithfully."""
    functional: ExportedProgram = program.run_decompositions(_choose_decompositions(program))
    for node in list(functional.graph.nodes):
        target = str(node.target) if node.op == "call_function" else ""
        if target in _ALIASES:
            _drop_alias(functional, node)
        elif target == "aten.reciprocal.default":
            _divide_one(functional, node)
    functional.graph_module.recompile()
    return functional


def _choose_decompositions(program: ExportedProgram) -> dict[Any, Callable[..., Any]]:
    """GELU with approximate="tanh": the front end overlooks the keyword and would make the exact form of it."""
    import torch

    if not any(node.kwargs.get("approximate") == "tanh" for node in program.graph.nodes):
        return {}
    return {torch.ops.aten.gelu.default: _gelu}


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Hendrycks & Gimpel, "Gaussian Error Linear Units": x P(X <= x), and its approximation by tanh."""
    import torch

    if approximate == "none":
        return 0.5 * x * (1 + torch.erf(x * math.sqrt(0.5)))
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _drop_alias(program: ExportedProgram, node: Node) -> None:
    """The node copies nothing, and the front end does not know it."""
    source = node.all_input_nodes[0]
    node.replace_all_uses_with(source)
    program.graph_signature.replace_all_uses(node.name, source.name)
    program.graph.erase_node(node)


def _divide_one(program: ExportedProgram, node: Node) -> None:
    """The front end makes 1 / (x + 1e-4) of a reciprocal: MIL's `inverse` with its default epsilon."""
    import torch

    with program.graph.inserting_before(node):
        quotient = program.graph.call_function(torch.ops.aten.div.Tensor, (1.0, node.args[0]))
    quotient.meta = dict(node.meta)
    node.replace_all_uses_with(quotient)
    program.graph_signature.replace_all_uses(node.name, quotient.name)
    program.graph.erase_node(node)
