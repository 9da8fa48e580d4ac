"""Convolution and transposed convolution over one, two or three spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.sources.network import Call
from builder.sources.onnx.graph import Importer, Node
from builder.sources.onnx.ops.windows import pad_spatial, read_window

if TYPE_CHECKING:
    from torch import Tensor


def _conv(node: Node) -> Call:
    """Padding that differs between the sides becomes a zero pad before the convolution."""
    from torch.nn import functional

    spatial, kernel = node.shape()[2:], node.shape(1)[2:]
    if len(spatial) not in (1, 2, 3) or len(kernel) != len(spatial):
        raise node.refuse(f"is over {len(spatial)} spatial axes", "use one to three")
    if "kernel_shape" in node.attributes and tuple(node.integers("kernel_shape")) != kernel:
        raise node.refuse("states another kernel_shape than its weight has", "correct the exported graph")
    area, groups = read_window(node, kernel, spatial), node.integer("group", 1)
    function = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(spatial)]
    padding = area.begin if area.symmetric else 0

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not area.symmetric:
            x = pad_spatial(x, area.begin, area.end)
        return function(x, weight, bias, area.strides, padding, area.dilations, groups)

    return Call(function=convolve, operands=(node.inputs[0], node.weight(1, "weight"), node.weight(2, "bias")))


def _conv_transpose(node: Node) -> Call:
    """What torch's own arguments cannot say (padding that differs between the sides) is the full result, cropped."""
    from torch.nn import functional

    spatial, kernel = node.shape()[2:], node.shape(1)[2:]
    axes = len(spatial)
    if axes not in (1, 2, 3):
        raise node.refuse(f"is over {axes} spatial axes", "use one to three")
    function = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}[axes]
    strides, dilations = node.integers("strides", [1] * axes), node.integers("dilations", [1] * axes)
    extra, groups = node.integers("output_padding", [0] * axes), node.integer("group", 1)
    full = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(spatial, strides, kernel, dilations, strict=True)]
    begin, sizes = _find_transposed_crop(node, spatial, strides, full, extra)
    end = [whole + more - first - size for whole, more, first, size in zip(full, extra, begin, sizes, strict=True)]
    if any(first + size > whole for first, size, whole in zip(begin, sizes, full, strict=True)) and begin != end:
        raise node.refuse("gives more than its kernel reaches", "use symmetric pads with output_padding")
    native = begin == end and all(x == 0 or x < max(s, d) for x, s, d in zip(extra, strides, dilations, strict=True))

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if native:
            return function(x, weight, bias, strides, begin, extra, groups, dilations)
        y = function(x, weight, bias, strides, 0, 0, groups, dilations)
        for axis, (first, size) in enumerate(zip(begin, sizes, strict=True)):
            y = y.narrow(2 + axis, first, size)
        return y

    return Call(function=convolve, operands=(node.inputs[0], node.weight(1, "weight"), node.weight(2, "bias")))


def _find_transposed_crop(
    node: Node, spatial: tuple[int, ...], strides: list[int], full: list[int], extra: list[int]
) -> tuple[list[int], list[int]]:
    """How much is cropped in front, and the size of the result, by axis; formulas of the operator's specification."""
    axes = len(spatial)
    auto = node.text("auto_pad", "NOTSET")
    if "output_shape" in node.attributes:
        sizes = node.integers("output_shape")[-axes:]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        sizes = [n * s for n, s in zip(spatial, strides, strict=True)]
    else:
        pads = node.integers("pads", [0] * (2 * axes)) if auto == "NOTSET" else [0] * (2 * axes)
        begin = pads[:axes]
        sizes = [f + x - p - q for f, x, p, q in zip(full, extra, begin, pads[axes:], strict=True)]
        return begin, sizes
    total = [f + x - size for f, x, size in zip(full, extra, sizes, strict=True)]
    if min(total) < 0:
        raise node.refuse("gives more than its kernel reaches", "use pads instead of output_shape or auto_pad")
    if auto == "SAME_UPPER":
        return [t // 2 for t in total], sizes
    return [t - t // 2 for t in total], sizes


OPS: dict[str, Importer] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
