"""What the GPU delegate will probably take of a file, from its published operator support (`gpu_ops.toml`), and what it dies of."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.graph import Graph, Op, read_graph
from builder.backends.tflite.macs import op_macs
from builder.backends.tflite.runtime import describe
from builder.bundle import Coverage
from builder.errors import VerificationError

_AXES = 4
_FLOATS = ("FLOAT32", "FLOAT16")


def refuse_what_aborts(path: Path) -> None:
    """Raises VerificationError for a difference of a tensor and one computed value in a file that is made for the GPU.

    The delegate of TFLite 2.16.1 aborts the process on `(1, H, W, C) - (1, 1, 1, 1)` with OpenGL: no error, so no fallback.
    """
    graph = read_graph(load_model(path))
    for op in graph.ops:
        sizes = sorted(math.prod(graph.tensors[index].shape) for index in op.inputs)
        computed = all(graph.tensors[index].data is None for index in op.inputs)
        if op.name == "SUB" and computed and sizes[0] == 1 < sizes[-1]:
            raise VerificationError(
                f"{path.name} subtracts one computed value from a tensor ({describe(graph, op)}), on which the GPU delegate of "
                "TFLite 2.16.1 ends the app; leave 'single_values' on in [legalize], or give the value the tensor's channels."
            )


def predicted_coverage(path: Path) -> Coverage:
    """Operators by name, type and number of axes; a subgraph ends where an operator is left."""
    graph = read_graph(load_model(path))
    ops = [op for op in graph.ops if op.name != "DEQUANTIZE"]  # of float16 weights, which the delegate reads itself
    taken = [_is_taken(graph, op) for op in ops]
    macs = [op_macs(graph, op) for op in ops]
    starts = sum(now and not before for before, now in pairwise([False, *taken]))
    return Coverage(
        delegate="gpu",
        source="predicted",
        delegated_ops=sum(taken),
        total_ops=len(ops),
        subgraphs=starts,
        left=tuple(describe(graph, op) for op, yes in zip(ops, taken, strict=True) if not yes),
        delegated_macs=sum(count for count, yes in zip(macs, taken, strict=True) if yes),
        total_macs=sum(macs),
    )


def _is_taken(graph: Graph, op: Op) -> bool:
    results = [graph.tensors[index] for index in op.outputs]
    return op.name in supported() and all(tensor.dtype in _FLOATS and len(tensor.shape) <= _AXES for tensor in results)


@cache
def supported() -> frozenset[str]:
    """Names of operators, from all published lists."""
    lists = tomllib.loads((Path(__file__).parent / "gpu_ops.toml").read_text(encoding="utf-8"))["origin"]
    return frozenset(name for entry in lists for name in entry["ops"])
