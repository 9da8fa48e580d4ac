"""Weights and values that lie in memory with channels last, as all others: shapes and values stay what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    turned = [key for key, value in _list_stored(program) if not value.is_contiguous()]
    asking = [node for node in program.graph.nodes if _asks(node)]
    if not turned and not asking:
        return program, 0
    module: Any = make_functional(program).module(check_guards=False)
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous()
    for node in module.graph.nodes:
        if _asks(node):
            node.kwargs = {**node.kwargs, "memory_format": torch.contiguous_format}
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), len(turned) + len(asking)


def _list_stored(program: ExportedProgram) -> list[tuple[str, Any]]:
    return [
        (key, value)
        for key, value in (program.state_dict | program.constants).items()
        if hasattr(value, "is_contiguous")
    ]


def _asks(node: Node) -> bool:
    import torch

    return node.op == "call_function" and node.kwargs.get("memory_format") in (
        torch.channels_last,
        torch.channels_last_3d,
    )
