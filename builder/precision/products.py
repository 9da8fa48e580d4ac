"""Operators that multiply and accumulate without weights of their own: matrix products, attention, convolutions with computed filters.

No plan gives them a scheme: they compute as what is between the layers. But their work counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node


@dataclass(frozen=True, kw_only=True)
class ProductCall:
    """One call; `name` is the module that it stands in with the operator's name."""

    name: str
    macs: int


def find_product_calls(program: ExportedProgram, layers: Collection[Node]) -> tuple[ProductCall, ...]:
    """All of a program in order of execution, but for the calls of layers."""
    calls = []
    for node in program.graph.nodes:
        count = _MACS.get(str(node.target)) if node.op == "call_function" else None
        if count is None or node in layers:
            continue
        operator = str(node.target).split(".")[1]
        owner = _module(node)
        calls.append(ProductCall(name=f"{owner}.{operator}" if owner else operator, macs=count(node)))
    return tuple(calls)


def _module(node: Node) -> str:
    stack = [str(entry[0]) for entry in (node.meta.get("nn_module_stack") or {}).values() if entry and entry[0]]
    return stack[-1] if stack else ""


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in value.meta["val"].shape)


def _product(first: int) -> Callable[[Node], int]:
    """(.., n, k) times (.., k, m), of which argument `first` is the former."""
    return lambda node: math.prod(_shape(node)) * _shape(node.args[first])[-1]


def _linear(node: Node) -> int:
    return math.prod(_shape(node)) * _shape(node.args[1])[-1]


def _convolution(node: Node) -> int:
    return math.prod(_shape(node)) * math.prod(_shape(node.args[1])[1:])


def _count_transposed(node: Node) -> int:
    return math.prod(_shape(node.args[0])) * math.prod(_shape(node.args[1])[1:])


def _attention(node: Node) -> int:
    """Queries (.., n, d) against keys (.., m, d), then weights (.., n, m) against values (.., m, e)."""
    query, key, value = (_shape(argument) for argument in node.args[:3])
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _einsum(node: Node) -> int:
    """A product for every combination of all indices; one operand is only summed."""
    equation, operands = str(node.args[0]).replace(" ", ""), node.args[1]
    names = equation.split("->")[0].split(",")
    if len(names) < 2 or "..." in equation:
        return 0
    sizes = {
        index: size
        for operand, indices in zip(operands, names, strict=True)  # type: ignore[arg-type]
        for index, size in zip(indices, _shape(operand), strict=True)
    }
    return math.prod(sizes.values())


_MACS: dict[str, Callable[[Node], int]] = {
    "aten.matmul.default": _product(0),
    "aten.mm.default": _product(0),
    "aten.bmm.default": _product(0),
    "aten.addmm.default": _product(1),
    "aten.baddbmm.default": _product(1),
    "aten.linear.default": _linear,
    "aten.conv2d.default": _convolution,
    "aten.conv2d.padding": _convolution,
    "aten.conv_transpose2d.input": _count_transposed,
    "aten.scaled_dot_product_attention.default": _attention,
    "aten.einsum.default": _einsum,
}
