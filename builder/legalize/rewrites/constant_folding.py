"""What depends on constants alone is computed once, here, and what nothing reads is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA

if TYPE_CHECKING:
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
LARGEST_BYTES = 4 << 20  # a result larger than this would cost more in the file than its computation on the device


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    constant = _constant_nodes(program)
    if not constant:
        return program, 0
    module: Any = program.module(check_guards=False)
    kept: dict[Any, torch.Tensor] = {}
    with torch.no_grad():
        for node in list(module.graph.nodes):
            if node.op == "get_attr":
                kept[node] = _attribute(module, str(node.target))
            elif node.name in constant:
                args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda source: kept[source])
                kept[node] = node.target(*args, **kwargs)
    count = 0
    for node, value in kept.items():
        outside = [user for user in node.users if user not in kept]
        if node.op == "get_attr" or not outside or not isinstance(value, torch.Tensor):
            continue
        name = f"folded_{count}"
        count += 1
        module.register_buffer(name, value.detach().clone().contiguous())
        with module.graph.inserting_before(node):
            constant_node = module.graph.get_attr(name)
        constant_node.meta = dict(node.meta)
        node.replace_all_uses_with(constant_node)
    module.graph.eliminate_dead_code()
    module.recompile()
    inputs = samples[0]
    return torch.export.export(module, inputs), count


def _constant_nodes(program: ExportedProgram) -> set[str]:
    """Names of the nodes whose value no input reaches, in place of which a constant of reasonable size can stand."""
    signature = program.graph_signature
    inputs = set(signature.user_inputs)
    found: set[str] = set()
    nodes = list(program.graph.nodes)
    for node in nodes:
        if node.op == "call_function" and all(
            source.name in found or (source.op == "placeholder" and source.name not in inputs)
            for source in node.all_input_nodes
        ):
            value = node.meta.get("val")
            sized = getattr(value, "nbytes", None)
            if sized is not None and sized <= LARGEST_BYTES and "rand" not in str(node.target):
                found.add(node.name)
    return found


def _attribute(module: Any, target: str) -> Any:
    for part in target.split("."):
        module = getattr(module, part)
    return module.detach()
