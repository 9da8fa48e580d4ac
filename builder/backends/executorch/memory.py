"""Predicted peak memory of one inference.

    file                      its pages are mapped or read, weights included
    + planned arenas          what the program states for its own activations
    + packed weights          XNNPACK copies the constants of its ops into the order its kernels read
    + largest live set        over XNNPACK's graphs: the largest set of inner tensors alive at once (the outer ones lie in the arenas)

A tensor lives from the node that makes it to the last that reads it. What a kernel needs for itself is not counted.
"""

from __future__ import annotations

from math import prod

from builder.backends.executorch.pte import Program
from builder.backends.executorch.xnnpack import Graph

_BITS = {
    "fp32": 32,
    "fp16": 16,
    "bf16": 16,
    "qint32": 32,
    "qcint32": 32,
    "int32": 32,
    "pfp32": 32,
    "qcint4": 4,
    "qbint4": 4,
}  # others: 8


def predict_peak(file_bytes: int, program: Program, graphs: tuple[Graph, ...]) -> int:
    """Bytes, by the formula of this module."""
    packed = sum(
        value.constant.nbytes for graph in graphs for value in graph.values.values() if value.constant is not None
    )
    return (
        file_bytes
        + sum(program.arenas)
        + packed
        + max((measure_largest_live_set(graph) for graph in graphs), default=0)
    )


def measure_largest_live_set(graph: Graph) -> int:
    """Bytes of the graph's inner tensors alive at the worst moment."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for step, node in enumerate(graph.nodes):
        first.setdefault(node.output, step)
        for number in (*node.inputs, node.output):
            last[number] = step
    change = [0] * (len(graph.nodes) + 1)
    for number, start in first.items():
        value = graph.values[number]
        if value.external is None:
            size = prod(value.shape) * _BITS.get(value.datatype, 8) // 8
            change[start] += size
            change[last[number] + 1] -= size
    alive = peak = 0
    for step_change in change:
        alive += step_change
        peak = max(peak, alive)
    return peak
