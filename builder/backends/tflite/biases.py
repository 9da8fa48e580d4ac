"""Biases of statically quantized layers that do not fit their integers: the quantizer lets them overflow in silence.

A bias is stored in steps of (input step x weight step). A channel whose weights are almost zero while its bias is not, which
trained networks do have after batch norm folding (the stem of EfficientNet-Lite0), gets such a small weight step that the
bias exceeds 32 bits. A larger weight step for that channel cures it; what its weights lose is below the bias's own rounding.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from builder.backends.tflite.constants import real
from builder.backends.tflite.graph import ACTIVATION, BIAS, WEIGHT, Graph, Op, Tensor, read_graph

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
            wanted = np.maximum(wanted, np.abs(real(bias).astype(np.float64)) / (source * _LARGEST[stored.dtype]))
    if np.array_equal(wanted, step):
        return
    main = model.subgraphs[0]
    values = wanted.astype(np.float32)
    along = [1] * len(weights.shape)
    along[weights.axis] = -1
    codes = np.clip(np.rint(real(floats[0][0]) / values.reshape(along)), -127, 127).astype(np.int8)
    _store(model, main.tensors[weights.index], codes, values)
    for op, (_, bias) in zip(ops, floats, strict=True):
        stored = _bias(graph, op)
        if stored is not None:
            steps = values * graph.tensors[op.inputs[ACTIVATION[op.name]]].scale[0]
            _store(
                model,
                main.tensors[stored.index],
                np.rint(real(bias) / steps.astype(np.float64)).astype(_DTYPE[stored.dtype]),
                steps,
            )


def _store(model: Any, tensor: Any, codes: NDArray[np.generic], steps: NDArray[np.float32]) -> None:
    """Give a tensor a constant of its own: others may share the former one."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    tensor.quantization.scale = steps
    tensor.buffer = len(model.buffers)
    model.buffers.append(schema.BufferT(data=np.frombuffer(codes.tobytes(), np.uint8)))
