"""How far a network looks: whether its output at a place depends on a neighbourhood only, and how large that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from builder.graph.origins import name_operator, place

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

_BY_VALUE = {
    "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "prelu", "elu", "selu", "silu", "gelu", "sigmoid", "tanh", "hardsigmoid",
    "hardswish", "hardtanh", "hardtanh_", "softplus", "add", "sub", "rsub", "mul", "div", "pow", "sqrt", "rsqrt", "exp", "log", "neg",
    "abs", "clamp", "clamp_min", "clamp_max", "minimum", "maximum", "where", "batch_norm", "dropout", "clone", "contiguous", "alias",
    "getitem", "detach", "_to_copy", "to", "sin", "cos", "reciprocal", "unsqueeze", "expand", "expand_as",
}  # fmt: skip
_BY_CHANNEL = {
    "cat": 1,
    "split": 2,
    "split_with_sizes": 2,
    "chunk": 2,
    "slice": 1,
    "select": 1,
    "narrow": 1,
    "softmax": 1,
}
_WHOLE = ("adaptive_avg_pool2d", "adaptive_max_pool2d", "matmul", "bmm", "scaled_dot_product_attention")
_REDUCING = ("mean", "sum", "var", "linalg_vector_norm", "amax", "amin")
_NORMS = ("instance_norm", "group_norm", "layer_norm")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """`overlap` source pixels on each side decide an output pixel at most; tiles start at multiples of `multiple`."""

    overlap: int
    multiple: int
    scale: Fraction


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Of one tensor: its pixels for each source pixel, how many source pixels it looks to a side, and its coarsest grid."""

    scale: Fraction
    reach: Fraction
    grid: int


def reach_of(program: ExportedProgram, pictures: Sequence[str]) -> Reach | str:
    """By the names of the placeholders that are pictures; a sentence's part saying why not where some operator sees all of it."""
    start = _Seen(scale=Fraction(1), reach=Fraction(0), grid=1)
    seen: dict[Node, _Seen] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in pictures:
            seen[node] = start
        elif node.op == "call_function":
            before = [seen[source] for source in node.all_input_nodes if source in seen]
            if not before:
                continue
            if len({state.scale for state in before}) != 1:
                return f"it joins pictures of different sizes{place(node)}"
            joined = _Seen(
                scale=before[0].scale, reach=max(s.reach for s in before), grid=math.lcm(*(s.grid for s in before))
            )
            after = _through(node, joined)
            if isinstance(after, str):
                return after + place(node)
            seen[node] = replace(after, grid=math.lcm(after.grid, after.scale.denominator))
    results = [source for node in program.graph.nodes if node.op == "output" for source in node.all_input_nodes]
    states = [seen[result] for result in results if result in seen]
    if not states or len(states) != len(results) or len({state.scale for state in states}) != 1:
        return "an output is no picture of it"
    grid = math.lcm(*(state.grid for state in states))
    overlap = math.ceil(max(state.reach for state in states) / grid) * grid
    return Reach(overlap=overlap, multiple=grid, scale=states[0].scale)


def _through(node: Node, before: _Seen) -> _Seen | str:
    """What one operator makes of it. Windows are taken as centred; what that overlooks the trial on a picture finds."""
    name = name_operator(node)
    arguments: list[Any] = list(node.args)
    if name in _BY_VALUE or name == "pad":
        return before
    if name in _BY_CHANNEL:
        axis = arguments[_BY_CHANNEL[name]] if len(arguments) > _BY_CHANNEL[name] else 0
        return before if axis == 1 else f"it cuts or joins along another axis than channels ({name})"
    if name in _REDUCING:
        axes = next((a for a in arguments[1:] if isinstance(a, list | tuple)), None)
        return before if axes == [1] else f"it needs the whole picture ({name})"
    if name in _WHOLE:
        return f"it needs the whole picture ({name})"
    if name in _NORMS:
        return f"{name} takes its statistics from the whole picture; freeze them ([legalize] freeze_norms = true) to allow tiles"
    looks = _resample if name.startswith("upsample_") else _LOOKING.get(name)
    if looks is None:
        return f"the operator {name!r} is not known to look at a neighbourhood only"
    return looks(node, before)


def _convolve(node: Node, before: _Seen) -> _Seen:
    arguments = list(node.args)
    kernel, stride, dilation = _weight(arguments)[2:], _pair(arguments, 3, 1), _pair(arguments, 5, 1)
    return _window(before, [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)], stride)


def _transpose(node: Node, before: _Seen) -> _Seen:
    arguments = list(node.args)
    kernel, stride = _weight(arguments)[2:], _pair(arguments, 3, 1)
    wide = before.reach + Fraction(math.ceil(max(kernel) / min(stride))) / before.scale
    return replace(before, scale=before.scale * stride[0], reach=wide)


def _pool(node: Node, before: _Seen) -> _Seen:
    arguments = list(node.args)
    kernel = _pair(arguments, 1, 1)
    return _window(before, kernel, _pair(arguments, 2, 0) if len(arguments) > 2 and arguments[2] else kernel)


def _resample(node: Node, before: _Seen) -> _Seen:
    taps = 2 if "bicubic" in name_operator(node) else 1
    return replace(before, scale=before.scale * _factor(node), reach=before.reach + taps / before.scale)


def _shuffle(node: Node, before: _Seen) -> _Seen:
    factor = Fraction(int(cast(int, node.args[1])))
    scale = before.scale * factor if name_operator(node) == "pixel_shuffle" else before.scale / factor
    return replace(before, scale=scale, reach=before.reach + 1 / min(scale, before.scale))


# Operators that look at a neighbourhood, and what they make of what was seen before.
_LOOKING: dict[str, Callable[[Node, _Seen], _Seen]] = {
    "conv2d": _convolve,
    "conv_transpose2d": _transpose,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _shuffle,
}


def _window(before: _Seen, sizes: Sequence[int], stride: Sequence[int]) -> _Seen:
    half = Fraction(max(sizes) - 1, 2) / before.scale
    return replace(before, scale=before.scale / stride[0], reach=before.reach + half)


def _weight(arguments: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(size) for size in arguments[1].meta["val"].shape)


def _pair(arguments: Sequence[Any], number: int, otherwise: int) -> tuple[int, int]:
    value = arguments[number] if len(arguments) > number else otherwise
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1])) if value else (otherwise, otherwise)


def _factor(node: Node) -> Fraction:
    before: Any = node.args[0]
    return Fraction(int(node.meta["val"].shape[2]), int(before.meta["val"].shape[2]))
