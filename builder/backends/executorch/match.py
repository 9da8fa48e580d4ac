"""Which ops of a .pte are which layer: by the values of the weights, since no name survives in the file.

Each call of a layer takes the first free op, in order of execution, whose weights in the op's layout are the layer's within
rounding; where several qualify (layers with equal weights) an op with the layer's bias goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.executorch.ops import Weight, WeightedOp
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.precision.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_SOURCES = {
    "conv2d": (
        "Conv2d",
        "DepthwiseConv2d",
        "aten::convolution.out",
    ),  # one input channel a group is depthwise to XNNPACK
    "depthwise_conv2d": ("DepthwiseConv2d", "Conv2d", "aten::convolution.out"),
    "conv_transpose2d": ("ConvTranspose2d", "aten::convolution.out"),
    "linear": ("FullyConnected", "aten::linear.out", "aten::addmm.out", "aten::mm.out"),
}


def find_layers(ops: tuple[WeightedOp, ...], model: Model) -> dict[str, tuple[WeightedOp, ...]]:
    """The ops of every layer, one for each of its calls. Raises VerificationError for a call that is not in the file."""
    import numpy as np

    free = dict(enumerate(ops))
    ops_of: dict[str, list[WeightedOp]] = {layer.name: [] for layer in model.layers.layers}
    for layer in model.calls():
        weight = np.asarray(model.weight(layer), np.float32)
        bias = (
            None
            if layer.bias is None
            else np.asarray(model.program.state_dict[layer.bias].detach().numpy(), np.float32)
        )
        ranked = [
            ((not _is_same_bias(op.bias, bias), index), index)
            for index, op in free.items()
            if _is_layer(op, layer, weight)
        ]
        if not ranked:
            again = f" for its call number {len(ops_of[layer.name]) + 1}" if ops_of[layer.name] else ""
            raise VerificationError(
                f"layer {layer.name!r} is not in the ExecuTorch file{again}: no op has its weights; the converter folded or dropped it, "
                "so remove it from the model or merge it into its neighbour."
            )
        op = free.pop(min(ranked)[1])
        if bias is not None and op.bias is not None and op.bias.scale.size and not _is_same_bias(op.bias, bias):
            raise VerificationError(
                f"layer {layer.name!r} was quantized wrongly: its bias does not fit 32 bits because calibration saw only values near zero at its "
                "input, or one of its channels has weights near zero; add samples that use it, or keep it in fp32."
            )
        ops_of[layer.name].append(op)
    return {name: tuple(uses) for name, uses in ops_of.items()}


def _is_layer(op: WeightedOp, layer: Layer, weight: Array) -> bool:
    return op.kind in _SOURCES[layer.op] and any(
        expected.shape == op.weight.shape and _near(op.weight, expected) for expected in _layouts(op, weight)
    )


def _layouts(op: WeightedOp, weight: Array) -> list[Array]:
    """Torch's weight as the op's kind may store it: XNNPACK keeps filters channels last, output channels as it computes them."""
    match op.kind:
        case "Conv2d":
            return [weight.transpose(0, 2, 3, 1)]
        case "DepthwiseConv2d":
            return [weight.transpose(1, 2, 3, 0)]
        case "ConvTranspose2d":  # torch (in, out/groups, kh, kw) -> (out, kh, kw, in/groups)
            inside, outside, height, width = weight.shape
            if inside % op.groups:
                return []
            parts = weight.reshape(op.groups, inside // op.groups, outside, height, width)
            return [parts.transpose(0, 2, 3, 4, 1).reshape(op.groups * outside, height, width, inside // op.groups)]
        case "aten::addmm.out" | "aten::mm.out":
            return [weight, weight.transpose()]
        case _:
            return [weight]


def in_torch_layout(op: WeightedOp, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The stored numbers of an op of XNNPACK's, in the order of the layer's weight; transposed convolutions with one group."""
    match op.kind:
        case "Conv2d":
            return values.transpose(0, 3, 1, 2)
        case "DepthwiseConv2d":
            return values.transpose(3, 0, 1, 2)
        case "ConvTranspose2d":
            return values.transpose(3, 0, 1, 2)
        case _:
            return values


def _near(stored: Weight, expected: Array) -> bool:
    import numpy as np

    actual = stored.values()
    # Integers beyond 2^24, as biases are, are rounded once more in float32 arithmetic.
    again = np.float32(1e-6) * np.abs(actual) if stored.scale.size else np.float32(0)
    return bool(np.all(np.abs(actual - expected) <= stored.rounding(actual) + again))


def _is_same_bias(stored: Weight | None, expected: Array | None) -> bool:
    """Whether a bias may be the layer's: only tells layers with equal weights apart."""
    if stored is None or expected is None:
        return stored is None and expected is None
    return stored.shape == expected.shape and _near(stored, expected)
