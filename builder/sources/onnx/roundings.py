"""The integers that a QDQ file has of its weights, followed from their DequantizeLinear to the layer that reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from builder.sources.network import Call, Rounding, Weight
from builder.sources.onnx.graph import Node

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# Operations of two values that runtimes compute in integers, where one may be stored.
_OF_VALUES = ("Add", "Concat", "MatMul", "Mul", "Sub")
_MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


def carry_rounding(node: Node, call: Call) -> Rounding | None:
    """Of the result of a node that was folded: what its stored floats are on the grid of, or None."""
    if call.rounding is not None:
        return call.rounding if node.op == "DequantizeLinear" and call.rounding.high else None
    before = node.values.roundings.get(node.inputs[0]) if node.inputs else None
    if before is None:
        return None
    if node.op == "Identity" or (node.op in _MOVES and before.axis is None):
        return before
    if node.op == "Transpose":
        order = node.integers("perm", list(range(node.rank()))[::-1])
        return before if before.axis is None else replace(before, axis=order.index(before.axis))
    return None


def of_operand(rounding: Rounding, operand: str | Weight, node: Node) -> Rounding | Literal["lost"] | None:
    """The rounding of a stored operand as the node's call has it; None where floats on the grid are as good, `lost` for no integers."""
    if isinstance(operand, str):
        return rounding if node.op in _OF_VALUES and rounding.axis is None else None
    if operand.role != "weight" or node.op not in LAYERS:
        return None
    if operand.form == "other":
        return "lost"
    return rounding if operand.form == "same" or rounding.axis is None else replace(rounding, axis=1 - rounding.axis)
