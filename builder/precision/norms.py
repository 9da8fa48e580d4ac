"""The norms of a source network: group, instance and layer norms, which a plan may give fp32 or fp16. Batch norms are folded away.

Rewrites turn a norm into averages, differences and a root: a mark on its operator, which they take over, says what belongs to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.precision.program import find_keys_of_stored

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

# Operator -> places of weight and bias among its arguments.
_NORMS = {
    "aten.group_norm.default": (2, 3),
    "aten.instance_norm.default": (1, 2),
    "aten.layer_norm.default": (2, 3),
}
# Argument of an instance norm; where it is false, it is a batch norm.
_OWN_STATISTICS = 5
_MARK = "norm"


@dataclass(frozen=True, kw_only=True)
class NormCall:
    """One call of a norm; `weight` and `bias` are state-dict keys, None where there are none or they are computed."""

    name: str
    node: Node
    weight: str | None
    bias: str | None


def find_norm_calls(program: ExportedProgram, layers: Collection[str]) -> tuple[NormCall, ...]:
    """All of a program that was not rewritten, in order of execution. `layers` are names that are taken."""
    parameters = find_keys_of_stored(program)
    calls = []
    for node in program.graph.nodes:
        places = _NORMS.get(str(node.target)) if node.op == "call_function" else None
        if places is None or ("instance_norm" in str(node.target) and not _argument(node, _OWN_STATISTICS)):
            continue
        weight, bias = (parameters.get(getattr(_argument(node, place), "name", "")) for place in places)
        name = weight.removesuffix(".weight") if weight is not None else _by_module(node, layers)
        calls.append(NormCall(name=name, node=node, weight=weight, bias=bias))
    return tuple(calls)


def mark_norms(program: ExportedProgram, layers: Collection[str]) -> None:
    """Writes each norm's name on its operator."""
    for call in find_norm_calls(program, layers):
        call.node.meta["custom"] = {**call.node.meta.get("custom", {}), _MARK: call.name}


def find_norm(node: Node) -> str | None:
    """Name of the norm that an operator of a marked program belongs to, before rewrites and after."""
    name: str | None = node.meta.get("custom", {}).get(_MARK)
    return name


def _by_module(node: Node, layers: Collection[str]) -> str:
    """A norm without weights: its module's name, or where it is called in a module that is no norm, with the operator's."""
    stack = [(str(entry[0]), str(entry[1])) for entry in (node.meta.get("nn_module_stack") or {}).values() if entry[0]]
    if not stack:
        return node.name
    module, kind = stack[-1]
    return module if "norm" in kind.lower() and module not in layers else f"{module}.{node.name}"


def _argument(node: Node, place: int) -> Any:
    return node.args[place] if len(node.args) > place else None
