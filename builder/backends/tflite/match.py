"""Which op of a TFLite file is which layer: by the values of the weights, since converters do not keep names.

A layer's op is one whose weights, in the op's layout, are the layer's within rounding. Where several qualify (layers with
equal weights) the name that this backend wrote decides, then the bias, then the order of execution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.backends.tflite.constants import Weights, dequantize, find_weights, measure_rounding
from builder.backends.tflite.graph import ACTIVATION, BIAS, Graph, Op
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.precision.layers import Layer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

# From torch's weight layout to the op's: conv (O, I/g, H, W), transposed conv (I, O, H, W), linear (O, I).
_LAYOUT: dict[str, tuple[int, ...]] = {
    "CONV_2D": (0, 2, 3, 1),
    "DEPTHWISE_CONV_2D": (1, 2, 3, 0),
    "TRANSPOSE_CONV": (1, 2, 3, 0),
    "FULLY_CONNECTED": (0, 1),
}
TORCH_LAYOUT = {name: tuple(order.index(axis) for axis in range(len(order))) for name, order in _LAYOUT.items()}
"""And back."""
_CHANNEL = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 0, "FULLY_CONNECTED": 0}
_SOURCES = {
    "conv2d": (
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
    ),  # one input channel a group is depthwise to TFLite, whatever the multiplier
    "depthwise_conv2d": ("DEPTHWISE_CONV_2D", "CONV_2D"),
    "conv_transpose2d": ("TRANSPOSE_CONV",),
    "linear": ("FULLY_CONNECTED",),
}
# Values compared before all are: most pairs of layers differ at once.
_SAMPLE = 1024


@dataclass(frozen=True, kw_only=True)
class Use:
    """One call of a layer: the op that does it and its weights."""

    op: Op
    weights: Weights


def name_use(layer: str, number: int) -> str:
    """Name of the output tensor of a layer's n-th call: the FQN; later calls of tied weights are numbered."""
    return layer if number == 0 else f"{layer}:{number}"


def list_uses(graph: Graph) -> list[Use]:
    """Every op with constant weights, in order of execution."""
    producers = graph.producers()
    uses = []
    for op in graph.ops:
        weights = find_weights(graph, op, producers) if op.name in ACTIVATION else None
        if weights is not None:
            uses.append(Use(op=op, weights=weights))
    return uses


def find_layers(graph: Graph, model: Model) -> dict[str, tuple[Use, ...]]:
    """The ops of every layer, in order of execution. Raises VerificationError for a layer that is not in the file."""
    free = {use.op.index: use for use in list_uses(graph)}
    calls = model.calls()
    uses_of: dict[str, list[Use]] = {layer.name: [] for layer in model.layers.layers}
    for scaled in (False, True):  # scaled: the converter multiplied a later constant into the weights
        wanting = [layer for layer in calls if not (scaled and uses_of[layer.name])]
        for layer in wanting:
            bias = _bias(model, layer)
            name = name_use(layer.name, len(uses_of[layer.name]))
            ranked = [
                ((graph.tensors[use.op.outputs[0]].name != name, _has_other_bias(graph, use.op, bias), index), use)
                for index, use in free.items()
                if _is_layer(use, layer, model, scaled=scaled)
            ]
            if ranked:
                best = min(ranked, key=lambda item: item[0])[1]
                uses_of[layer.name].append(best)
                del free[best.op.index]
    for layer_name, uses in uses_of.items():
        if not uses:
            raise VerificationError(
                f"layer {layer_name!r} is not in the TFLite file: no op has its weights; the converter folded or dropped it, "
                "so remove it from the model or merge it into its neighbour."
            )
    return {name: tuple(uses) for name, uses in uses_of.items()}


def _bias(model: Model, layer: Layer) -> Array | None:
    import numpy as np

    bias = model.bias(layer)
    return None if bias is None else np.asarray(bias, np.float32)


def _has_other_bias(graph: Graph, op: Op, expected: Array | None) -> bool:
    """Only tells layers with equal weights apart: an integer bias holds other rounding, so only floats are looked at."""
    import numpy as np

    place = BIAS[op.name]
    index = op.inputs[place] if len(op.inputs) > place else -1
    if index < 0 or expected is None:
        return expected is not None
    tensor = graph.tensors[index]
    return tensor.data is not None and tensor.dtype == "FLOAT32" and not np.array_equal(dequantize(tensor), expected)


def _is_layer(use: Use, layer: Layer, model: Model, *, scaled: bool) -> bool:
    import numpy as np

    name = use.op.name
    if name not in _SOURCES[layer.op]:
        return False
    shape = tuple(layer.weight_shape[axis] for axis in _LAYOUT[name])
    tensor = use.weights.tensor
    if shape != tensor.shape:
        return False
    expected = np.asarray(model.weight(layer), np.float32).transpose(_LAYOUT[name])
    actual = dequantize(tensor)
    allowed: Array = np.broadcast_to(measure_rounding(tensor, actual), actual.shape)
    channel = _CHANNEL[name]
    if not scaled and actual.size > 4 * _SAMPLE:
        part = (slice(None, None, -(-actual.size // _SAMPLE)),)
        if not _near(actual.reshape(-1)[part], expected.reshape(-1)[part], allowed.reshape(-1)[part]):
            return False
    if scaled:
        expected = (expected * _fit_channel_factors(actual, expected, channel)).astype(np.float32)
        # Twice: the factor is itself estimated from rounded values.
        allowed = (2 * allowed + np.float32(1e-5) * np.abs(actual)).astype(np.float32)
    return _near(actual, expected, allowed)


def _near(actual: Array, expected: Array, allowed: Array) -> bool:
    import numpy as np

    return bool(np.all(np.abs(actual - expected) <= allowed))


def _fit_channel_factors(actual: Array, expected: Array, channel: int) -> Array:
    """Least-squares factor of each output channel, shaped to broadcast."""
    import numpy as np

    axes = tuple(axis for axis in range(actual.ndim) if axis != channel)
    power = (expected.astype(np.float64) ** 2).sum(axis=axes, keepdims=True)
    product = (actual.astype(np.float64) * expected).sum(axis=axes, keepdims=True)
    return np.asarray(np.divide(product, power, out=np.zeros_like(product), where=power > 0), np.float32)
