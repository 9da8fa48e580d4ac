"""Sliding windows of ONNX: kernel, strides, dilations and padding, with `auto_pad` resolved for the node's static shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.sources.onnx.graph import Node

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Window:
    """Per spatial axis; `begin` and `end` is the padding on both sides."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def symmetric(self) -> bool:
        return self.begin == self.end

    @property
    def reach(self) -> tuple[int, ...]:
        """How many elements a dilated kernel spans."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def read_window(node: Node, kernel: Sequence[int], spatial: Sequence[int]) -> Window:
    """The window of a convolution or pooling over an input of these spatial sizes."""
    axes = len(kernel)
    strides = tuple(node.integers("strides", [1] * axes))
    dilations = tuple(node.integers("dilations", [1] * axes))
    pads = node.integers("pads", [0] * (2 * axes))
    if len(strides) != axes or len(dilations) != axes or len(pads) != 2 * axes:
        raise node.refuse(f"has strides, dilations or pads that do not fit {axes} spatial axes", "correct the graph")
    if any(p < 0 for p in pads):
        raise node.refuse("has negative padding", "crop with Slice before it")
    plain = Window(
        kernel=tuple(kernel), strides=strides, dilations=dilations, begin=tuple(pads[:axes]), end=tuple(pads[axes:])
    )
    auto = node.text("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return plain
    nothing = (0,) * axes
    if auto == "VALID":
        return Window(kernel=tuple(kernel), strides=strides, dilations=dilations, begin=nothing, end=nothing)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.refuse(f"has auto_pad {auto!r}", "use NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    total = [
        max((-(-size // stride) - 1) * stride + reach - size, 0)
        for size, stride, reach in zip(spatial, strides, plain.reach, strict=True)
    ]
    less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    begin, end = (less, more) if auto == "SAME_UPPER" else (more, less)
    return Window(kernel=tuple(kernel), strides=strides, dilations=dilations, begin=begin, end=end)


def pad_spatial(x: Tensor, begin: Sequence[int], end: Sequence[int], value: float = 0.0) -> Tensor:
    """Constant padding of the last axes."""
    from torch.nn import functional

    amounts = [amount for pair in zip(reversed(begin), reversed(end), strict=True) for amount in pair]
    return functional.pad(x, amounts, value=value)
