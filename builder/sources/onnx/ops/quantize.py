"""QuantizeLinear and DequantizeLinear of files in the QDQ format.

Stored weights are folded to floats. Activations are rounded and clamped as ONNX Runtime does, on floats that hold whole
numbers, so that the import can be compared with it; `float_function` is the same without the grid, for our own plan to
quantize anew. The call's `rounding` keeps what the file's integers are, for a network that stays as it was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.sources.network import Call, Rounding
from builder.sources.onnx.graph import Importer, Node

if TYPE_CHECKING:
    from torch import Tensor

_LIMITS = {
    "torch.uint8": (0, 255),
    "torch.int8": (-128, 127),
    "torch.uint16": (0, 65535),
    "torch.int16": (-32768, 32767),
}
# An activation before a quantizer shows that none was taken away in its favour; so do values that have a grid already.
_BOUNDED = {
    "Clip", "Concat", "DequantizeLinear", "Elu", "Flatten", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "MaxPool",
    "PRelu", "Relu", "Reshape", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Tanh", "Transpose", "Unsqueeze", "",
}  # fmt: skip


def _by_axis(node: Node, value: Tensor, rank: int, channels: int) -> Tensor:
    """Scale or zero point shaped to broadcast over the tensor."""
    if value.numel() == 1:
        return value.reshape(())
    axis = node.axis(node.integer("axis", 1), rank)
    if value.ndim != 1 or value.numel() != channels or node.integer("block_size", 0):
        raise node.refuse("is quantized in blocks", "quantize by tensor or by channel")
    return value.reshape([-1 if i == axis else 1 for i in range(rank)])


def _grid(node: Node) -> tuple[Tensor, Tensor]:
    """Scale and zero point as float tensors that broadcast."""
    import torch

    scale, zero = node.constant(1), node.constant(2)
    if scale is None or (node.has(2) and zero is None):
        raise node.refuse("computes its scale or zero point", "quantize it statically")
    rank, shape = node.rank(), node.shape()
    channels = shape[node.axis(node.integer("axis", 1), rank)] if scale.numel() > 1 else 1
    scale = _by_axis(node, scale.float(), rank, channels)
    zero = torch.zeros(()) if zero is None else _by_axis(node, zero.float(), rank, channels)
    return scale, zero


def _rounding(node: Node) -> Rounding:
    """What the node's integers are. Raises UnsupportedOperation for scales that are computed."""
    import torch

    scale, zero = node.constant(1), node.constant(2)
    if scale is None:
        raise node.refuse("computes its scale or zero point", "quantize it statically")
    stored = node.constant(0) if node.op == "DequantizeLinear" else None
    kind = str(
        (zero if zero is not None else stored if stored is not None else torch.zeros((), dtype=torch.uint8)).dtype
    )
    low, high = _LIMITS.get(kind, (0, 0))
    return Rounding(
        scale=scale.float().reshape(-1),
        zero=(torch.zeros_like(scale) if zero is None else zero).reshape(-1).to(torch.int64),
        axis=None if scale.numel() == 1 else node.axis(node.integer("axis", 1)),
        kind=kind.removeprefix("torch."),
        low=low,
        high=high,
    )


def _quantize(node: Node) -> Call:
    """Keeps the clamp without the grid: ONNX Runtime's quantizer takes ReLU and Clip away where the grid's ends do their work."""
    import torch

    zero = node.constant(2)
    kind = str(zero.dtype) if zero is not None else "torch.uint8"
    if kind not in _LIMITS:
        raise node.refuse(f"quantizes to {kind.removeprefix('torch.')}", "use int8, uint8, int16 or uint16")
    lowest, highest = _LIMITS[kind]
    scale, offset = _grid(node)
    step, whole = (float(scale), float(offset)) if scale.ndim == 0 and offset.ndim == 0 else (scale, offset)

    def quantize(x: Tensor) -> Tensor:
        return torch.clamp(torch.round(x / step) + whole, lowest, highest)

    def clamp(x: Tensor) -> Tensor:
        return torch.clamp(x, (lowest - float(offset)) * float(scale), (highest - float(offset)) * float(scale))

    removed = node.values.producers.get(node.inputs[0], "") not in _BOUNDED and scale.ndim == 0
    return Call(
        function=quantize,
        operands=(node.inputs[0],),
        rounding=_rounding(node),
        float_function=clamp if removed else lambda x: x,
    )


def _dequantize(node: Node) -> Call:
    scale, offset = _grid(node)
    if node.constant(0) is not None:
        return Call(
            function=lambda x: (x.float() - offset) * scale, operands=(node.inputs[0],), rounding=_rounding(node)
        )
    step, whole = (float(scale), float(offset)) if scale.ndim == 0 and offset.ndim == 0 else (scale, offset)
    return Call(
        function=lambda x: (x.float() - whole) * step,
        operands=(node.inputs[0],),
        rounding=_rounding(node),
        float_function=lambda x: x,
    )


OPS: dict[str, Importer] = {"DequantizeLinear": _dequantize, "QuantizeLinear": _quantize}
