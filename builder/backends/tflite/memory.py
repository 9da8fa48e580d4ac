"""Predicted peak memory of one inference: the file, whose weights are mapped, and the largest set of tensors alive at once."""

from __future__ import annotations

from builder.backends.tflite.graph import Graph


def measure_largest_live_set(graph: Graph) -> int:
    """Bytes of the activations alive at the worst moment: from the op that makes one to the last that reads it.

    Inputs live from the start and outputs to the end, as in the interpreter's arena plan without delegates.
    """
    end = len(graph.ops)
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for op in graph.ops:
        for index in op.outputs:
            first[index] = last[index] = op.index
        for index in op.inputs:
            if index in first:
                last[index] = op.index
    for index in graph.outputs:
        last[index] = end
    change = [0] * (end + 2)
    for index, start in first.items():
        change[start] += graph.tensors[index].bytes
        change[last[index] + 1] -= graph.tensors[index].bytes
    alive = peak = 0
    for step in change:
        alive += step
        peak = max(peak, alive)
    return peak
