"""Operations that read or write at computed places: sampling, gathering, scattering, sorting, and convolutions that bend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from builder.sources.network import Call
from builder.sources.onnx.graph import Importer, Node, call_plainly

if TYPE_CHECKING:
    from torch import Tensor

_MODES = {"bilinear": "bilinear", "linear": "bilinear", "nearest": "nearest", "bicubic": "bicubic", "cubic": "bicubic"}
_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _grid_sample(node: Node) -> Call:
    from torch.nn import functional

    mode, outside = node.text("mode", "linear"), node.text("padding_mode", "zeros")
    if mode not in _MODES or outside not in ("zeros", "border", "reflection"):
        raise node.refuse(f"has mode {mode!r} and padding_mode {outside!r}", "use linear, nearest or cubic")
    corners = bool(node.integer("align_corners", 0))
    return call_plainly(node, lambda x, grid: functional.grid_sample(x, grid, _MODES[mode], outside, corners))


def _col2im(node: Node) -> Call:
    """Blocks of an unfolded picture back in their places, overlaps added."""
    from torch.nn import functional

    size, block = node.read_ints(1, "image_shape"), node.read_ints(2, "block_shape")
    if size is None or block is None or len(size) != 2:
        raise node.refuse("is over another number of axes than two", "fold pictures only")
    pads = node.integers("pads", [0] * 4)
    if pads[:2] != pads[2:]:
        raise node.refuse("has padding that differs between the sides", "use symmetric pads")
    strides, dilations = node.integers("strides", [1, 1]), node.integers("dilations", [1, 1])
    return call_plainly(
        node,
        lambda x: functional.fold(
            x, (size[0], size[1]), tuple(block), tuple(dilations), tuple(pads[:2]), tuple(strides)
        ),
        1,
    )


def _scatter_elements(node: Node) -> Call:
    import torch

    axis, how = node.axis(node.integer("axis", 0)), node.text("reduction", "none")
    size = node.shape()[axis]
    if how != "none" and how not in _REDUCTIONS:
        raise node.refuse(f"has the reduction {how!r}", f"use none or one of {', '.join(_REDUCTIONS)}")

    def scatter(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        index = torch.where(index < 0, index + size, index)
        if how == "none":
            return torch.scatter(x, axis, index, updates)
        return torch.scatter_reduce(x, axis, index, updates, _REDUCTIONS[how])

    return call_plainly(node, scatter)


def _scatter_nd(node: Node) -> Call:
    """The named axes are taken as one, along which whole rows are written."""
    import torch

    how, shape = node.text("reduction", "none"), node.shape()
    if how != "none" and how not in _REDUCTIONS:
        raise node.refuse(f"has the reduction {how!r}", f"use none or one of {', '.join(_REDUCTIONS)}")
    named = node.shape(1)[-1]

    def scatter(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        place = _place(index, shape[:named])
        rows, new = x.reshape(math.prod(shape[:named]), -1), updates.reshape(place.numel(), -1)
        wide = place.reshape(-1, 1).expand(new.shape)
        if how == "none":
            return torch.scatter(rows, 0, wide, new).reshape(shape)
        return torch.scatter_reduce(rows, 0, wide, new, _REDUCTIONS[how]).reshape(shape)

    return call_plainly(node, scatter)


def _gather_nd(node: Node) -> Call:
    import torch

    if node.integer("batch_dims", 0):
        raise node.refuse("has batch_dims", "gather without batch_dims")
    shape, places = node.shape(), node.shape(1)
    named = places[-1]
    target = (*places[:-1], *shape[named:])

    def gather(x: Tensor, index: Tensor) -> Tensor:
        rows = x.reshape(math.prod(shape[:named]), -1)
        return torch.index_select(rows, 0, _place(index, shape[:named]).reshape(-1)).reshape(target)

    return call_plainly(node, gather)


def _place(index: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """One number for each tuple of indices, those below 0 counted from the end."""
    import torch

    place = torch.zeros_like(index[..., 0])
    for axis, size in enumerate(sizes):
        each = index[..., axis]
        place = place * size + torch.where(each < 0, each + size, each)
    return place


def _cumulative_sum(node: Node) -> Call:
    import torch

    axis = node.read_number(1, "axis")
    along = node.axis(int(axis or 0))
    exclusive, backwards = bool(node.integer("exclusive", 0)), bool(node.integer("reverse", 0))

    def add(x: Tensor) -> Tensor:
        x = x.flip(along) if backwards else x
        y = torch.cumsum(x, along)
        y = y - x if exclusive else y
        return y.flip(along) if backwards else y

    return call_plainly(node, add, 1)


def _topk(node: Node) -> Call:
    import torch

    count = node.read_number(1, "number") if node.opset >= 10 else node.integer("k")
    axis, largest = node.axis(node.integer("axis", -1)), bool(node.integer("largest", 1))
    return call_plainly(node, lambda x: torch.topk(x, int(count or 0), axis, largest, True), 1)


def _deform_conv(node: Node) -> Call:
    """Dai et al. 2017, with the masks of Zhu et al. 2019: every tap of the kernel reads at its own computed place."""
    import torch
    from torch.nn import functional

    (_, _, height, width), (outputs, each, high, wide) = node.shape(), node.shape(1)
    strides, dilations = node.integers("strides", [1, 1]), node.integers("dilations", [1, 1])
    pads, groups, parts = node.integers("pads", [0] * 4), node.integer("group", 1), node.integer("offset_group", 1)
    rows, columns = node.shape(2)[2:]

    def convolve(
        x: Tensor, weight: Tensor, offset: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        n, channels = x.shape[:2]
        pieces = x.reshape(n * parts, channels // parts, height, width)
        moves = offset.reshape(n * parts, high * wide, 2, rows, columns)
        down, across = (
            torch.arange(rows).float() * strides[0] - pads[0],
            torch.arange(columns).float() * strides[1] - pads[1],
        )
        taps = []
        for tap in range(high * wide):
            y = moves[:, tap, 0] + down.reshape(1, -1, 1) + float(tap // wide * dilations[0])
            z = moves[:, tap, 1] + across.reshape(1, 1, -1) + float(tap % wide * dilations[1])
            # on the scale of -1 to 1 from edge to edge of the outermost pixels
            grid = torch.stack([(z * 2 + 1) / width - 1, (y * 2 + 1) / height - 1], -1)
            read = functional.grid_sample(pieces, grid, "bilinear", "zeros", False)
            if mask is not None:
                read = read * mask.reshape(n * parts, high * wide, 1, rows, columns)[:, tap]
            taps.append(read.reshape(n, channels, rows, columns))
        stacked = torch.stack(taps, 2).reshape(n, channels * high * wide, rows, columns)
        flat = weight.reshape(outputs, each * high * wide, 1, 1)
        return functional.conv2d(stacked, flat, bias, groups=groups)

    names = (*node.inputs, "", "")[:5]
    operands = (names[0], node.weight(1, "weight"), names[2], node.weight(3, "bias"), names[4] or None)
    return Call(function=convolve, operands=operands)


OPS: dict[str, Importer] = {
    "Col2Im": _col2im, "CumSum": _cumulative_sum, "DeformConv": _deform_conv, "GatherND": _gather_nd, "GridSample": _grid_sample,
    "ScatterElements": _scatter_elements, "ScatterND": _scatter_nd, "TopK": _topk,
}  # fmt: skip
