"""Which operators a delegate that takes one connected part of the graph really gets, where some kinds are not supported.

TFLite's own way (PartitionGraphIntoIndependentNodeSubsets in tensorflow/lite/graph_info.cc): parts are filled in turn with every
operator that is ready and of the part's side. The GPU delegate gets the largest part of its side; the others stay on the CPU.
"""

from __future__ import annotations

from collections.abc import Set

from builder.backends.tflite.graph import Graph


def find_taken_part(graph: Graph, unsupported: Set[int]) -> frozenset[int]:
    """Indices of the operators in the largest part that holds none of `unsupported`."""
    largest: list[int] = []
    for part, on_delegate in _parts(graph, unsupported):
        if on_delegate and len(part) > len(largest):
            largest = part
    return frozenset(largest)


def _parts(graph: Graph, unsupported: Set[int]) -> list[tuple[list[int], bool]]:
    producers = graph.producers()
    waits = {
        op.index: {producers[tensor].index for tensor in op.inputs if tensor in producers} - {op.index}
        for op in graph.ops
    }
    done: set[int] = set()
    parts: list[tuple[list[int], bool]] = []
    while len(done) < len(graph.ops):
        first = next(op.index for op in graph.ops if op.index not in done and waits[op.index] <= done)
        side = first not in unsupported
        part: list[int] = []
        grown = True
        while grown:
            grown = False
            for op in graph.ops:
                if op.index not in done and (op.index not in unsupported) == side and waits[op.index] <= done:
                    done.add(op.index)
                    part.append(op.index)
                    grown = True
        parts.append((part, side))
    return parts
