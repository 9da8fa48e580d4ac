"""What each operator on complex values is in their real and imaginary parts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.complex_arithmetic import NoRule, Pair, Writer

if TYPE_CHECKING:
    from torch.fx import Node

# Both parts go the same way: what only moves values, or is a sum of them.
_SAME_FOR_BOTH = (
    "reshape", "view", "_unsafe_view", "permute", "transpose", "t", "slice", "select", "unsqueeze", "squeeze", "expand", "clone", "contiguous",
    "alias", "detach", "lift_fresh_copy", "flip", "roll", "index_select", "narrow", "split", "split_with_sizes", "chunk", "unbind", "repeat",
    "tile", "flatten", "unflatten", "movedim", "gather", "sum", "mean", "cumsum", "getitem", "resolve_conj", "resolve_neg",
)  # fmt: skip


def find_rule(node: Node) -> Callable[..., Any]:
    """The function that writes a node's real form: of the writer and the node's own arguments. Raises NoRule."""
    if node.op == "get_attr":
        return _constant
    if node.op != "call_function":
        raise NoRule
    name = "getitem" if node.target is operator.getitem else str(node.target).removeprefix("aten.").split(".")[0]
    if name in _SAME_FOR_BOTH:
        return _same
    if name not in _RULES:
        raise NoRule
    return _RULES[name]


def _constant(writer: Writer) -> Pair:
    from torch import nn

    owner: Any = writer.module
    for part in str(writer.node.target).split("."):
        owner = getattr(owner, part)
    value = owner.detach() if isinstance(owner, nn.Parameter) else owner
    name = str(writer.node.target)
    return Pair(
        real=writer.store((name, "real"), value.real.clone()),
        imaginary=writer.store((name, "imaginary"), value.imag.clone()),
    )


def _same(writer: Writer, x: Any, *rest: Any, **kwargs: Any) -> Pair:
    target: Any = writer.node.target
    kwargs.pop("dtype", None)
    return writer.each(writer.pair(x), lambda part: writer.call(target, part, *rest, **kwargs))


def _join(writer: Writer, values: Sequence[Any], axis: int = 0) -> Pair:
    """Zeros where a part of one is zero and that of another is not."""
    target: Any = writer.node.target
    pairs = [writer.pair(value) for value in values]

    def join(parts: list[Any]) -> Any:
        if all(part is None for part in parts):
            return None
        whole = [
            writer.fit(0.0 if part is None else part, value.meta["val"])
            for part, value in zip(parts, values, strict=True)
        ]
        return writer.call(target, whole, axis)

    return Pair(real=join([pair.real for pair in pairs]), imaginary=join([pair.imaginary for pair in pairs]))


def _pad(writer: Writer, x: Any, sides: Sequence[int], *rest: Any) -> Pair:
    if rest and rest[-1] not in (0, 0.0, None, "constant"):
        raise NoRule
    target: Any = writer.node.target
    return writer.each(writer.pair(x), lambda part: writer.call(target, part, list(sides), *rest))


def _complex(writer: Writer, real: Any, imaginary: Any) -> Pair:
    return Pair(real=real, imaginary=imaginary)


def _polar(writer: Writer, length: Any, angle: Any) -> Pair:
    import torch

    cosine, sine = (writer.call(target, angle) for target in (torch.ops.aten.cos.default, torch.ops.aten.sin.default))
    return Pair(real=writer.multiply(length, cosine), imaginary=writer.multiply(length, sine))


def _view_as_complex(writer: Writer, x: Any) -> Pair:
    import torch

    first, second = (writer.call(torch.ops.aten.select.int, x, -1, number) for number in (0, 1))
    return Pair(real=first, imaginary=second)


def _view_as_real(writer: Writer, x: Any) -> Any:
    import torch

    pair = writer.pair(x)
    parts = [writer.fit(0.0 if part is None else part, x.meta["val"]) for part in (pair.real, pair.imaginary)]
    return writer.call(torch.ops.aten.stack.default, parts, -1)


def _abs(writer: Writer, x: Any) -> Any:
    import torch

    length = writer.length(writer.pair(x))
    return length if length is None else writer.call(torch.ops.aten.sqrt.default, length)


def _angle(writer: Writer, x: Any) -> Any:
    import torch

    pair = writer.pair(x)
    if pair.real is None or pair.imaginary is None:
        raise NoRule
    return writer.call(torch.ops.aten.atan2.default, pair.imaginary, pair.real)


def _add(writer: Writer, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    first, second = writer.pair(x), writer.pair(y)
    second = writer.each(second, lambda part: writer.multiply(part, alpha))
    return Pair(real=writer.add(first.real, second.real), imaginary=writer.add(first.imaginary, second.imaginary))


def _subtract(writer: Writer, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    return _add(writer, x, y, alpha=-alpha)


def _multiply(writer: Writer, x: Any, y: Any) -> Pair:
    return writer.product(writer.pair(x), writer.pair(y), writer.multiply)


def _divide(writer: Writer, x: Any, y: Any) -> Pair:
    first, second = writer.pair(x), writer.pair(y)
    if second.imaginary is None:
        return writer.each(first, lambda part: writer.divide(part, second.real))
    turned = Pair(real=second.real, imaginary=writer.negate(second.imaginary))
    length = writer.length(second)
    whole = writer.product(first, turned, writer.multiply)
    return writer.each(whole, lambda part: writer.divide(part, length))


def _exp(writer: Writer, x: Any) -> Pair:
    import torch

    pair = writer.pair(x)
    length = 1.0 if pair.real is None else writer.call(torch.ops.aten.exp.default, pair.real)
    return Pair(real=length, imaginary=None) if pair.imaginary is None else _polar(writer, length, pair.imaginary)


def _conjugate(writer: Writer, x: Any) -> Pair:
    pair = writer.pair(x)
    return Pair(real=pair.real, imaginary=writer.negate(pair.imaginary))


def _multiply_matrices(writer: Writer, x: Any, y: Any) -> Pair:
    target: Any = writer.node.target
    return writer.product(writer.pair(x), writer.pair(y), lambda a, b: writer.call(target, a, b))


def _einsum(writer: Writer, equation: str, operands: Sequence[Any], **_: Any) -> Pair:
    target: Any = writer.node.target
    if len(operands) != 2:
        raise NoRule
    first, second = (writer.pair(operand) for operand in operands)
    return writer.product(first, second, lambda a, b: writer.call(target, equation, [a, b]))


def _choose(writer: Writer, condition: Any, x: Any, y: Any) -> Pair:
    target: Any = writer.node.target
    first, second = writer.pair(x), writer.pair(y)

    def choose(one: Any, other: Any) -> Any:
        whole = [writer.fit(0.0 if part is None else part, value.meta["val"]) for part, value in ((one, x), (other, y))]
        return writer.call(target, condition, *whole)

    return Pair(real=choose(first.real, second.real), imaginary=choose(first.imaginary, second.imaginary))


def _to(writer: Writer, x: Any, *rest: Any, **kwargs: Any) -> Any:
    """A real value becomes complex; a complex one that becomes real loses its imaginary part, as torch warns."""
    import torch

    pair = writer.pair(x)

    def widen(part: Any) -> Any:
        if part.meta["val"].dtype == torch.float32:
            return part
        return writer.call(torch.ops.aten._to_copy.default, part, dtype=torch.float32)

    if writer.node.meta["val"].dtype.is_complex:
        return writer.each(pair, widen)
    return pair.real


def _transform_real(writer: Writer, x: Any, axes: Sequence[int], mode: int, onesided: bool) -> Pair:
    last = axes[-1]
    rows = int(x.meta["val"].shape[last]) // 2 + 1 if onesided else None
    value = writer.transform(writer.pair(x), last, mode=mode, forward=True, rows=rows)
    for axis in axes[:-1]:
        value = writer.transform(value, axis, mode=mode, forward=True)
    return value


def _transform(writer: Writer, x: Any, axes: Sequence[int], mode: int, forward: bool) -> Pair:
    value = writer.pair(x)
    for axis in axes:
        value = writer.transform(value, axis, mode=mode, forward=forward)
    return value


def _transform_back(writer: Writer, x: Any, axes: Sequence[int], mode: int, size: int) -> Any:
    value = _transform(writer, x, axes[:-1], mode, False)
    return writer.transform_to_real(value, axes[-1], mode=mode, size=size)


_RULES: dict[str, Callable[..., Any]] = {
    "_fft_r2c": _transform_real, "_fft_c2c": _transform, "_fft_c2r": _transform_back,
    "complex": _complex, "polar": _polar, "view_as_complex": _view_as_complex, "view_as_real": _view_as_real,
    "real": lambda writer, x: writer.pair(x).real, "imag": lambda writer, x: writer.pair(x).imaginary, "abs": _abs, "angle": _angle,
    "add": _add, "sub": _subtract, "rsub": lambda writer, x, y, alpha=1: _subtract(writer, y, x, alpha=alpha),
    "mul": _multiply, "div": _divide, "square": lambda writer, x: _multiply(writer, x, x), "exp": _exp,
    "neg": lambda writer, x: writer.each(writer.pair(x), writer.negate),
    "_conj": _conjugate, "conj": _conjugate, "conj_physical": _conjugate, "_conj_physical": _conjugate,
    "matmul": _multiply_matrices, "bmm": _multiply_matrices, "mm": _multiply_matrices, "einsum": _einsum, "where": _choose,
    "cat": _join, "stack": _join, "constant_pad_nd": _pad, "pad": _pad, "_to_copy": _to, "to": _to,
    "zeros": lambda writer, *_, **__: Pair(real=None, imaginary=None),
    "zeros_like": lambda writer, *_, **__: Pair(real=None, imaginary=None),
    "new_zeros": lambda writer, *_, **__: Pair(real=None, imaginary=None),
}  # fmt: skip
