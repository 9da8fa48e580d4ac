"""An ONNX graph while it is imported: nodes with what is static about them, values known so far, and calls made of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.errors import UnsupportedOperation
from builder.sources.network import Call, Function, Operand, Rounding, Weight

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class Values:
    """What is known of the values of a graph: stored and folded tensors, and the value of every other one for sample inputs.

    `roundings`: of folded tensors, the integers that the file has of them.
    """

    constants: dict[str, Tensor] = field(default_factory=dict)
    samples: dict[str, Tensor] = field(default_factory=dict)
    producers: dict[str, str] = field(default_factory=dict)
    roundings: dict[str, Rounding] = field(default_factory=dict)

    def tensor(self, name: str) -> Tensor:
        return self.constants[name] if name in self.constants else self.samples[name]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One ONNX node. Input numbers count from 0; omitted optional inputs are empty names."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    values: Values

    def refuse(self, what: str, cure: str) -> UnsupportedOperation:
        """The error for a form of the operation that is not imported: `what` it is, and the nearest form that is."""
        return UnsupportedOperation(f"node {self.name!r} ({self.op}) {what}, which is not supported; {cure}.")

    def has(self, number: int) -> bool:
        return number < len(self.inputs) and bool(self.inputs[number])

    def shape(self, number: int = 0) -> tuple[int, ...]:
        return tuple(int(size) for size in self.values.tensor(self.inputs[number]).shape)

    def rank(self, number: int = 0) -> int:
        return len(self.shape(number))

    def axis(self, value: int, rank: int | None = None) -> int:
        """A negative axis counted from the end."""
        rank = self.rank() if rank is None else rank
        if not -rank <= value < max(rank, 1):
            raise self.refuse(f"has axis {value} for a tensor of {rank} dimensions", "correct the exported graph")
        return value % rank if rank else 0

    def constant(self, number: int) -> Tensor | None:
        """The tensor of an input that does not depend on the network's inputs, or None."""
        return self.values.constants.get(self.inputs[number]) if self.has(number) else None

    def read_ints(self, number: int, what: str) -> list[int] | None:
        """Integers that an input holds; None where it is omitted. Raises UnsupportedOperation for computed ones."""
        if not self.has(number):
            return None
        value = self.constant(number)
        if value is None:
            raise self.refuse(f"has {what} that depend on the input's values", f"export it with fixed {what}")
        return [int(v) for v in value.reshape(-1).tolist()]

    def read_number(self, number: int, what: str) -> float | int | None:
        """The one number that an input holds; None where it is omitted. Raises UnsupportedOperation for a computed one."""
        if not self.has(number):
            return None
        value = self.constant(number)
        if value is None or value.numel() != 1:
            raise self.refuse(f"has {what} that is computed by the graph", f"export it with a fixed {what}")
        scalar: float | int = value.reshape(()).item()
        return scalar

    def scalar(self, number: int) -> float | int | None:
        """The number of a constant input of one element that broadcasts to anything, or None."""
        value = self.constant(number)
        if value is None or value.numel() != 1 or value.dtype.is_complex:
            return None
        item: float | int = value.reshape(()).item()
        return item

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self.refuse(f"has no whole number {name!r}", "correct the exported graph")
        return value

    def real(self, name: str, default: float) -> float:
        return float(self.attributes.get(name, default))

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        value = self.attributes.get(name, default)
        if value is None or isinstance(value, int | float | str | bytes):
            raise self.refuse(f"has no list of whole numbers {name!r}", "correct the exported graph")
        return [int(v) for v in value]

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def weight(self, number: int, role: str) -> Operand:
        """An input as the layer's own stored tensor where it is constant, as a value where it is computed, None if omitted."""
        if not self.has(number):
            return None
        value = self.constant(number)
        if value is None:
            return self.inputs[number]
        return Weight(role=role, value=value, origin=self.inputs[number])


Importer = Callable[[Node], Call]
"""Turns a node into a call, or raises UnsupportedOperation."""


def call_plainly(node: Node, function: Function, count: int | None = None) -> Call:
    """A call of all inputs of a node (or the first `count`) in their order."""
    names = node.inputs if count is None else node.inputs[:count]
    return Call(function=function, operands=tuple(name or None for name in names))
