"""Multiply-accumulates of the ops of a TFLite file, from its shapes; what multiplies no matrices counts none."""

from __future__ import annotations

from math import prod

from builder.backends.tflite.graph import ACTIVATION, WEIGHT, Graph, Op


def count_op_macs(graph: Graph, op: Op) -> int:
    """Of one op. Weights are (O, kh, kw, I), depthwise (1, kh, kw, C), fully connected (O, I)."""
    result = graph.tensors[op.outputs[0]].shape
    if op.name == "BATCH_MATMUL":  # either factor may be transposed: the inner size follows from the number of elements
        first = graph.tensors[op.inputs[0]].shape
        return prod(result) * (prod(first) * result[-1] // prod(result)) if prod(result) else 0
    if op.name not in ACTIVATION:
        return 0
    source, weight = (graph.tensors[op.inputs[place]].shape for place in (ACTIVATION[op.name], WEIGHT))
    match op.name:
        case "CONV_2D":
            return prod(result) * prod(weight[1:])
        case "DEPTHWISE_CONV_2D":
            return prod(result) * prod(weight[1:3])
        case "TRANSPOSE_CONV":
            return prod(source) * prod(weight[:3])
        case _:
            return prod(result) * weight[-1]
