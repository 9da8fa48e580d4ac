"""Pooling over one or two spatial axes, with any padding and `ceil_mode`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.sources.network import Call, Weight
from builder.sources.onnx.graph import Importer, Node, call_plainly
from builder.sources.onnx.ops.windows import Window, pad_spatial, read_window

if TYPE_CHECKING:
    from torch import Tensor


def _area(node: Node) -> tuple[Window, tuple[int, ...]]:
    """The window, and how far past the stated padding the last windows of `ceil_mode` reach."""
    spatial = node.shape()[2:]
    if len(spatial) not in (1, 2):
        raise node.refuse(f"is over {len(spatial)} spatial axes", "use one or two")
    area = read_window(node, node.integers("kernel_shape"), spatial)
    if any(d != 1 for d in area.dilations) and node.text("auto_pad", "NOTSET").startswith("SAME"):
        raise node.refuse("has dilations and auto_pad, which runtimes read differently", "state its pads")
    if node.text("auto_pad", "NOTSET").startswith("SAME") or not node.integer("ceil_mode", 0):
        return area, (0,) * len(spatial)
    beyond = []
    for size, stride, reach, begin, end in zip(spatial, area.strides, area.reach, area.begin, area.end, strict=True):
        count = -(-(size + begin + end - reach) // stride) + 1
        if (count - 1) * stride >= size + begin:  # a window that would start in the padding behind is not made
            count -= 1
        beyond.append(max((count - 1) * stride + reach - size - begin - end, 0))
    return area, tuple(beyond)


def _max_pool(node: Node) -> Call:
    import torch
    from torch.nn import functional

    if len([name for name in node.outputs if name]) > 1:
        raise node.refuse("gives the indices of the maxima", "use its first output only")
    area, beyond = _area(node)
    function = functional.max_pool1d if len(area.kernel) == 1 else functional.max_pool2d
    dtype = node.values.tensor(node.inputs[0]).dtype
    lowest = float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min
    native = (
        area.symmetric and not any(beyond) and all(2 * p <= k for p, k in zip(area.begin, area.kernel, strict=True))
    )

    def pool(x: Tensor) -> Tensor:
        if native:
            return function(x, area.kernel, area.strides, area.begin, area.dilations)
        padded = pad_spatial(x, area.begin, [e + b for e, b in zip(area.end, beyond, strict=True)], lowest)
        return function(padded, area.kernel, area.strides, 0, area.dilations)

    return call_plainly(node, pool, 1)


def _average_pool(node: Node) -> Call:
    """Where a window holds padding that does not count, the plain average is scaled by a stored map."""
    import torch
    from torch.nn import functional

    area, beyond = _area(node)
    if any(d != 1 for d in area.dilations):
        raise node.refuse("has dilations", "use an average pooling without dilations")
    include = bool(node.integer("count_include_pad", 0))
    function = functional.avg_pool1d if len(area.kernel) == 1 else functional.avg_pool2d
    end = [e + b for e, b in zip(area.end, beyond, strict=True)]
    native = (
        area.symmetric and not any(beyond) and all(2 * p <= k for p, k in zip(area.begin, area.kernel, strict=True))
    )
    if native:
        return call_plainly(
            node, lambda x: function(x, area.kernel, area.strides, area.begin, count_include_pad=include), 1
        )
    counted = torch.ones((1, 1, *node.shape()[2:]))
    if include:  # the stated padding counts, what ceil_mode adds does not
        counted = pad_spatial(counted, area.begin, area.end, 1.0)
        counted = pad_spatial(counted, [0] * len(beyond), beyond)
    else:
        counted = pad_spatial(counted, area.begin, end)
    scale = 1.0 / function(counted, area.kernel, area.strides)

    def pool(x: Tensor, factor: Tensor) -> Tensor:
        return function(pad_spatial(x, area.begin, end), area.kernel, area.strides) * factor

    return Call(function=pool, operands=(node.inputs[0], Weight(role="scale", value=scale)))


def _global_average(node: Node) -> Call:
    axes = list(range(2, node.rank()))
    return call_plainly(node, lambda x: x.mean(axes, keepdim=True))


def _global_max(node: Node) -> Call:
    axes = list(range(2, node.rank()))
    return call_plainly(node, lambda x: x.amax(axes, keepdim=True))


OPS: dict[str, Importer] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "MaxPool": _max_pool,
}
