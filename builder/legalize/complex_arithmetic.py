"""Complex values of a graph as pairs of real ones, and what operators do to them.

A part that is None is zero everywhere: a real value has such an imaginary part, and no operator is written for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.legalize.fourier import count_mirrors, make_cosines_and_sines

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import Node

Part = Any  # a node, a number, or None for zero


class NoRule(Exception):
    """An operator on complex values that has no real form here."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    real: Part
    imaginary: Part


@dataclass(kw_only=True)
class Writer:
    """Writes real operators into the graph of `module`, before the complex one that they stand for (`node`)."""

    module: Any
    node: Node
    pairs: dict[Node, Pair] = field(default_factory=dict)
    stored: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def call(self, target: Any, *args: Any, **kwargs: Any) -> Node:
        import torch

        made: Node = self.module.graph.call_function(target, args, kwargs)
        made.meta = {key: kept for key, kept in self.node.meta.items() if key != "val"}
        values = torch.fx.node.map_arg((args, kwargs), lambda source: _without_data(source.meta["val"]))
        made.meta["val"] = target(*values[0], **values[1])
        return made

    def store(self, key: tuple[Any, ...], value: Tensor) -> Node:
        """A constant: no buffer, since a plan would take a product with a stored matrix for a layer."""
        if key not in self.stored:
            name = f"fourier_{len(self.stored)}"
            while hasattr(self.module, name):
                name += "_"
            setattr(self.module, name, value)
            self.stored[key] = name
        made: Node = self.module.graph.create_node("get_attr", self.stored[key])
        made.meta = {"val": value}
        return made

    def pair(self, value: Any) -> Pair:
        """Of any argument: complex, real, or a number."""
        if hasattr(value, "op") and value in self.pairs:
            return self.pairs[value]
        if isinstance(value, complex):
            return Pair(real=value.real or None, imaginary=value.imag or None)
        if getattr(getattr(getattr(value, "meta", {}).get("val"), "dtype", None), "is_complex", False):
            raise NoRule
        return Pair(real=value, imaginary=None)

    def fit(self, part: Part, like: Tensor) -> Part:
        """A part in the shape of the whole: it may be a number, or smaller where only the other part was broadcast."""
        import torch

        shape = list(like.shape)
        if isinstance(part, int | float):
            return self.call(torch.ops.aten.full.default, shape, float(part), dtype=torch.float32)
        if part is None or isinstance(part.meta["val"], list | tuple) or list(part.meta["val"].shape) == shape:
            return part
        return self.call(torch.ops.aten.expand.default, part, shape)

    def add(self, first: Part, second: Part) -> Part:
        import torch

        if first is None or second is None:
            return second if first is None else first
        if not hasattr(first, "op") and not hasattr(second, "op"):
            return first + second
        first, second = (first, second) if hasattr(first, "op") else (second, first)
        return self.call(torch.ops.aten.add.Tensor, first, second)

    def negate(self, part: Part) -> Part:
        import torch

        if part is None or not hasattr(part, "op"):
            return None if part is None else -part
        return self.call(torch.ops.aten.neg.default, part)

    def subtract(self, first: Part, second: Part) -> Part:
        import torch

        if not hasattr(first, "op") or not hasattr(second, "op"):
            return self.add(first, self.negate(second))
        return self.call(torch.ops.aten.sub.Tensor, first, second)

    def multiply(self, first: Part, second: Part) -> Part:
        import torch

        if first is None or second is None:
            return None
        if not hasattr(first, "op") and not hasattr(second, "op"):
            return first * second
        first, second = (first, second) if hasattr(first, "op") else (second, first)
        if not hasattr(second, "op") and second in (1.0, -1.0):
            return first if second == 1.0 else self.negate(first)
        return self.call(torch.ops.aten.mul.Tensor, first, second)

    def divide(self, first: Part, second: Part) -> Part:
        import torch

        if first is None:
            return None
        if not hasattr(second, "op"):
            return self.multiply(first, 1.0 / second)
        if not hasattr(first, "op"):
            return self.multiply(self.call(torch.ops.aten.reciprocal.default, second), first)
        return self.call(torch.ops.aten.div.Tensor, first, second)

    def product(self, first: Pair, second: Pair, times: Callable[[Part, Part], Part]) -> Pair:
        """By any product `times` of two factors: elements, matrices, sums over indices."""

        def of(one: Part, other: Part) -> Part:
            return None if one is None or other is None else times(one, other)

        a, b, c, d = first.real, first.imaginary, second.real, second.imaginary
        return Pair(real=self.subtract(of(a, c), of(b, d)), imaginary=self.add(of(a, d), of(b, c)))

    def length(self, value: Pair) -> Part:
        """|z|^2"""
        return self.add(self.multiply(value.real, value.real), self.multiply(value.imaginary, value.imaginary))

    def each(self, value: Pair, does: Callable[[Part], Part]) -> Pair:
        return Pair(real=_unless_zero(value.real, does), imaginary=_unless_zero(value.imaginary, does))

    def transform(self, value: Pair, axis: int, *, mode: int, forward: bool, rows: int | None = None) -> Pair:
        """The discrete Fourier transform along an axis, its first `rows` values or all."""
        size = _size(value, axis)
        rows = size if rows is None else rows
        cosine, sine = make_cosines_and_sines(rows, size, size, mode)
        key = (rows, size, mode)
        with_cosine = self.each(value, lambda part: self.multiply_by_matrix(part, axis, ("cos", *key), cosine))
        # Inside the sine of the other direction has the other sign; zeros keep theirs.
        turned = (-sine if forward else sine) + 0.0
        with_sine = self.each(value, lambda part: self.multiply_by_matrix(part, axis, ("sin", forward, *key), turned))
        return Pair(
            real=self.subtract(with_cosine.real, with_sine.imaginary),
            imaginary=self.add(with_cosine.imaginary, with_sine.real),
        )

    def transform_to_real(self, value: Pair, axis: int, *, mode: int, size: int) -> Part:
        """Back from the first half of the spectrum of a real signal of `size` values."""
        half = size // 2 + 1
        if _size(value, axis) != half:
            raise NoRule
        cosine, sine = (matrix * count_mirrors(half, size) for matrix in make_cosines_and_sines(size, half, size, mode))
        key = ("back", size, mode)
        first = _unless_zero(value.real, lambda part: self.multiply_by_matrix(part, axis, ("cos", *key), cosine))
        second = _unless_zero(value.imaginary, lambda part: self.multiply_by_matrix(part, axis, ("sin", *key), sine))
        return self.subtract(first, second)

    def multiply_by_matrix(self, part: Node, axis: int, key: tuple[Any, ...], matrix: Tensor) -> Node:
        import torch

        aten = torch.ops.aten
        last = part.meta["val"].ndim - 1
        turned = part if axis == last else self.call(aten.transpose.int, part, axis, last)
        made = self.call(aten.linear.default, turned, self.store(key, matrix.contiguous()))
        return made if axis == last else self.call(aten.transpose.int, made, axis, last)


def _without_data(value: Any) -> Any:
    import torch

    if isinstance(value, list | tuple):
        return [_without_data(part) for part in value]
    return torch.empty(tuple(value.shape), dtype=value.dtype, device="meta")


def _unless_zero(part: Part, does: Callable[[Part], Part]) -> Part:
    return None if part is None else does(part)


def _size(value: Pair, axis: int) -> int:
    part = value.imaginary if value.real is None else value.real
    if part is None:
        raise NoRule
    return int(part.meta["val"].shape[axis])
