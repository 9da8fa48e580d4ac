"""What the Vulkan delegate would probably take of a program, from what is published of it (`vulkan_ops.toml`).

The file is XNNPACK's: its nodes are taken for the operators they come from, so the rewrites made for XNNPACK are counted as they are.
"""

from __future__ import annotations

import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from builder.backends.executorch.macs import count_kernel_macs, count_node_macs
from builder.backends.executorch.pte import Instruction, Program
from builder.backends.executorch.xnnpack import Graph, Node
from builder.bundle import Coverage

_FLOATS = ("fp32", "fp16")


def predict_vulkan_coverage(program: Program, graphs: tuple[Graph, ...]) -> Coverage:
    """By operator, type and batch; a subgraph ends where an operator is left."""
    by_delegate = {graph.delegate: graph for graph in graphs}
    steps: list[tuple[str, int, str | None]] = []  # name, multiply-accumulates, why it is left
    for step in program.instructions:
        if step.kernel is not None:
            steps.append((step.kernel, count_kernel_macs(program, step), _explain_kernel_left(program, step)))
        elif step.delegate in by_delegate:
            graph = by_delegate[step.delegate]
            steps += [
                (node.kind, count_node_macs(node, graph), _explain_node_left(node, graph)) for node in graph.nodes
            ]
    taken = [why is None for _, _, why in steps]
    return Coverage(
        delegate="vulkan",
        source="predicted",
        delegated_ops=sum(taken),
        total_ops=len(steps),
        subgraphs=sum(now and not before for before, now in pairwise([False, *taken])),
        left=tuple(f"{name} @{number}: {why}" for number, (name, _, why) in enumerate(steps) if why is not None),
        delegated_macs=sum(macs for (_, macs, _), yes in zip(steps, taken, strict=True) if yes),
        total_macs=sum(macs for _, macs, _ in steps),
    )


def _explain_kernel_left(program: Program, step: Instruction) -> str | None:
    assert step.kernel is not None
    name = step.kernel.split("::")[-1].split(".")[0]
    return _explain_left(name, program.shapes.get(step.args[0], ()))


def _explain_node_left(node: Node, graph: Graph) -> str | None:
    source, result = graph.values[node.inputs[0]], graph.values[node.output]
    if result.datatype not in _FLOATS or source.datatype not in _FLOATS:
        return "computes in integers; it takes the float file"
    return _explain_left(_table()["xnnpack"].get(node.kind, node.kind), source.shape)


def _explain_left(name: str, source: tuple[int, ...]) -> str | None:
    if name not in load_supported():
        return "not an operator of the delegate"
    if name == "convolution" and len(source) == 4 and source[0] != 1:
        return "convolutions of one picture at a time only"
    return None


@cache
def load_supported() -> frozenset[str]:
    """Names of operators, from all published lists."""
    return frozenset(name for entry in _table()["origin"] for name in entry["ops"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "vulkan_ops.toml").read_text(encoding="utf-8"))
