"""What the GPU delegate of the phones dies of: operators that must not be in a file made for it."""

from __future__ import annotations

import math
from pathlib import Path

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.graph import read_graph
from builder.backends.tflite.runtime import describe
from builder.errors import VerificationError


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
