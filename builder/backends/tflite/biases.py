"""Biases: corrected for what rounding the weights does to the mean, and widened where they do not fit their integers.

The quantizer lets the latter overflow in silence. A bias is stored in steps of (input step x weight step). A channel whose weights are almost zero while its bias is not, which
trained networks do have after batch norm folding (the stem of EfficientNet-Lite0), gets such a small weight step that the
bias exceeds 32 bits. A larger weight step for that channel cures it; what its weights lose is below the bias's own rounding.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.constants import dequantize
from builder.backends.tflite.flatbuffer import read_model, write_model
from builder.backends.tflite.graph import ACTIVATION, BIAS, WEIGHT, Graph, Op, Tensor, read_graph
from builder.backends.tflite.match import find_layers
from builder.graph.model import Model
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import Observed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Kernels add the bias to sums of products in the same integers: half their range (int32), and what the 64-bit requantization takes.
_LARGEST = {"INT32": 2.0**30, "INT64": 2.0**46}
_DTYPE = {"INT32": "<i4", "INT64": "<i8"}


def fit_biases(model: Any, before: Graph) -> None:
    """Widen the weight step of channels whose bias would overflow in the quantized `model`; `before` is the float graph."""
    graph = read_graph(model)
    originals = {before.tensors[op.outputs[0]].name: op for op in before.ops}
    by_weights: dict[int, list[Op]] = defaultdict(list)  # tied weights serve several ops
    for op in graph.ops:
        if _bias(graph, op) is not None:
            by_weights[op.inputs[WEIGHT]].append(op)
    for index, ops in by_weights.items():
        floats = [originals[graph.tensors[op.outputs[0]].name] for op in ops]
        _fit(
            model,
            graph,
            graph.tensors[index],
            ops,
            [(before.tensors[o.inputs[WEIGHT]], before.tensors[o.inputs[BIAS[o.name]]]) for o in floats],
        )


def correct_biases(float_file: bytes, model: Model, plan: ResolvedPlan, observed: Observed) -> bytes:
    """The float file with `compute_bias_change` added to the bias of every layer whose weights the plan rounds to integers."""
    from builder.precision.biases import compute_bias_change

    written = read_model(float_file)
    graph = read_graph(written)
    for name, uses in find_layers(graph, model).items():
        layer = model.layers[name]
        for use in uses:
            place = BIAS[use.op.name]
            seen = observed.get(graph.tensors[use.op.inputs[ACTIVATION[use.op.name]]].name)
            means = seen.average_channels() if seen is not None and seen.usable else None
            index = use.op.inputs[place] if len(use.op.inputs) > place else -1
            if means is None or index < 0 or graph.tensors[index].data is None:
                continue
            change = compute_bias_change(model.weight(layer), layer, plan.scheme(name), means)
            if change is not None:
                values = (dequantize(graph.tensors[index]) + change).astype("<f4")
                _replace(written, written.subgraphs[0].tensors[index], values)
    return write_model(written)


def _bias(graph: Graph, op: Op) -> Tensor | None:
    """The integer bias of a statically quantized layer, or None."""
    place = BIAS.get(op.name, len(op.inputs))
    if len(op.inputs) <= place or op.inputs[place] < 0:
        return None
    tensor = graph.tensors[op.inputs[place]]
    return tensor if tensor.dtype in _LARGEST and tensor.scale.size else None


def _fit(model: Any, graph: Graph, weights: Tensor, ops: list[Op], floats: list[tuple[Tensor, Tensor]]) -> None:
    import numpy as np

    step = weights.scale.astype(np.float64)
    wanted = step.copy()
    for op, (_, bias) in zip(ops, floats, strict=True):
        stored = _bias(graph, op)
        if stored is not None:
            source = float(graph.tensors[op.inputs[ACTIVATION[op.name]]].scale[0])
            wanted = np.maximum(wanted, np.abs(dequantize(bias).astype(np.float64)) / (source * _LARGEST[stored.dtype]))
    if np.array_equal(wanted, step):
        return
    main = model.subgraphs[0]
    values = wanted.astype(np.float32)
    along = [1] * len(weights.shape)
    along[weights.axis] = -1
    codes = np.clip(np.rint(dequantize(floats[0][0]) / values.reshape(along)), -127, 127).astype(np.int8)
    _store(model, main.tensors[weights.index], codes, values)
    for op, (_, bias) in zip(ops, floats, strict=True):
        stored = _bias(graph, op)
        if stored is not None:
            steps = values * graph.tensors[op.inputs[ACTIVATION[op.name]]].scale[0]
            _store(
                model,
                main.tensors[stored.index],
                np.rint(dequantize(bias) / steps.astype(np.float64)).astype(_DTYPE[stored.dtype]),
                steps,
            )


def _store(model: Any, tensor: Any, codes: NDArray[np.generic], steps: NDArray[np.float32]) -> None:
    tensor.quantization.scale = steps
    _replace(model, tensor, codes)


def _replace(model: Any, tensor: Any, values: NDArray[np.generic]) -> None:
    """Give a tensor a constant of its own: others may share the former one."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    tensor.buffer = len(model.buffers)
    model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
