"""What a network computes in fp16, bfloat16 or float64 inside, in float32: which layers are fp16 in a file is the plan's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

# In float64 both are the same; in float32 it moves an output by what the network's own halves round.
BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    others = (torch.float16, torch.bfloat16, torch.float64)
    count = sum(getattr(node.meta.get("val"), "dtype", None) in others for node in program.graph.nodes)
    if not count:
        return program, 0
    module: Any = make_functional(program).module(check_guards=False)
    for owner in module.modules():
        for name, value in (
            *owner.named_parameters(recurse=False),
            *owner.named_buffers(recurse=False),
            *_others(owner),
        ):
            if value.dtype in others:
                plain = value.detach().float()
                kept = (
                    torch.nn.Parameter(plain, requires_grad=False) if isinstance(value, torch.nn.Parameter) else plain
                )
                setattr(owner, name, kept)

    def widen(argument: Any) -> Any:
        return torch.float32 if argument in others else argument

    for node in list(module.graph.nodes):
        if node.op != "call_function":
            continue
        node.args = torch.fx.node.map_aggregate(node.args, widen)
        node.kwargs = torch.fx.node.map_aggregate(node.kwargs, widen)
    module.recompile()
    with torch.no_grad():
        widened_program = torch.export.export(module, samples[0])
    for node in list(widened_program.graph.nodes):
        if _changes_nothing(node):
            node.replace_all_uses_with(node.args[0])
            widened_program.graph_signature.replace_all_uses(node.name, node.args[0].name)
            widened_program.graph.erase_node(node)
    widened_program.graph_module.recompile()
    return widened_program, count


def _others(owner: Any) -> list[tuple[str, Any]]:
    """Constants that are no buffers."""
    import torch

    return [(name, value) for name, value in vars(owner).items() if isinstance(value, torch.Tensor)]


def _changes_nothing(node: Node) -> bool:
    """A conversion to the type that a value has."""
    if str(node.target) not in ("aten.to.dtype", "aten._to_copy.default", "aten._assert_tensor_metadata.default"):
        return False
    if "assert" in str(node.target):
        return not node.users and bool(node.args)
    source: Any = node.args[0]
    return bool(source.meta["val"].dtype == node.meta["val"].dtype)
