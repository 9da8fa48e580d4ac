"""What XNNPACK takes of a program, counted in its file."""

from __future__ import annotations

from builder.backends.executorch.macs import count_graph_macs, count_kernel_macs
from builder.backends.executorch.pte import Program
from builder.backends.executorch.xnnpack import Graph
from builder.bundle import Coverage


def describe_xnnpack_coverage(program: Program, graphs: tuple[Graph, ...]) -> Coverage:
    """Delegated ops are the nodes of XNNPACK's graphs, its own conversions included; an op left is a kernel the program calls itself.

    A name is the kernel's with its place among the program's instructions. One subgraph is one hand-over to XNNPACK.
    """
    sizes = {graph.delegate: len(graph.nodes) for graph in graphs}
    delegated = sum(sizes.get(step.delegate, 0) for step in program.instructions if step.delegate is not None)
    left = tuple(
        f"{step.kernel} @{number}" for number, step in enumerate(program.instructions) if step.kernel is not None
    )
    by_delegate = {graph.delegate: count_graph_macs(graph) for graph in graphs}
    taken = sum(by_delegate.get(step.delegate, 0) for step in program.instructions if step.delegate is not None)
    return Coverage(
        delegate="xnnpack",
        source="file",
        delegated_ops=delegated,
        total_ops=delegated + len(left),
        subgraphs=sum(step.delegate in sizes for step in program.instructions),
        left=left,
        delegated_macs=taken,
        total_macs=taken
        + sum(count_kernel_macs(program, step) for step in program.instructions if step.kernel is not None),
    )
