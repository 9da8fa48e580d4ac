"""Multiply-accumulates of a program's operators, from the shapes in its file; what multiplies no matrices counts none."""

from __future__ import annotations

from math import prod

from builder.backends.executorch.pte import Instruction, Program
from builder.backends.executorch.xnnpack import Graph, Node

# Portable kernels: places of the two factors among the arguments.
_PRODUCTS = {"aten::mm.out": (0, 1), "aten::bmm.out": (0, 1), "aten::addmm.out": (1, 2), "aten::linear.out": (0, 1)}


def count_graph_macs(graph: Graph) -> int:
    """Of one subgraph of XNNPACK."""
    return sum(count_node_macs(node, graph) for node in graph.nodes)


def count_kernel_macs(program: Program, step: Instruction) -> int:
    """Of one kernel that the program calls itself."""
    shapes = program.shapes
    if step.kernel == "aten::convolution.out":
        source, weight, result = shapes[step.args[0]], shapes[step.args[1]], shapes[step.args[-1]]
        transposed = weight[0] == source[1] and weight[0] != result[1]
        return (prod(source) if transposed else prod(result)) * prod(weight[1:])
    if step.kernel in _PRODUCTS:
        first = shapes[step.args[_PRODUCTS[step.kernel][0]]]
        return prod(shapes[step.args[-1]]) * first[-1]
    return 0


def count_node_macs(node: Node, graph: Graph) -> int:
    """Of one node of a subgraph of XNNPACK."""
    result = graph.values[node.output].shape
    if node.filter is not None and node.kind in ("Conv2d", "DepthwiseConv2d", "ConvTranspose2d", "FullyConnected"):
        weight, source = graph.values[node.filter].shape, graph.values[node.inputs[0]].shape
        if node.kind == "FullyConnected":
            return prod(result) * weight[-1]
        if node.kind == "ConvTranspose2d":  # (out, kh, kw, in / groups)
            return prod(source) // (weight[-1] * node.groups) * prod(weight)
        outputs = weight[-1] if node.kind == "DepthwiseConv2d" else weight[0]
        return prod(result) * prod(weight) // outputs
    if node.kind == "BatchMatrixMultiply":
        return prod(result) * graph.values[node.inputs[0]].shape[-1]
    return 0
