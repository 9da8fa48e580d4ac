"""Which operator of a file is the first to give NaN or infinities on the GPU: the file is cut shorter and shorter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from builder.backends.tflite.flatbuffer import load_model, write_model
from builder.backends.tflite.gpu.drivers import Driver
from builder.backends.tflite.gpu.run import Accelerated
from builder.backends.tflite.graph import read_graph
from builder.backends.tflite.runtime import describe
from builder.errors import VerificationError


def find_first_overflow(path: Path, arrays: dict[int, Any], driver: Driver, half: bool) -> str | None:
    """The operator by name and layer, by halving: about ten runs for a thousand operators. None where the shorter files are all right,
    which the accelerator joins differently."""
    graph = read_graph(load_model(path))
    wanted = [op for op in graph.ops if graph.tensors[op.outputs[0]].dtype == "FLOAT32"]
    wanted = [op for op in wanted if op.name != "DEQUANTIZE"]
    low, high = 0, len(wanted) - 1
    if not wanted or not _overflows(path, wanted[high].index, arrays, driver, half):
        return None
    while low < high:
        middle = (low + high) // 2
        if _overflows(path, wanted[middle].index, arrays, driver, half):
            high = middle
        else:
            low = middle + 1
    return describe(graph, wanted[high])


def _overflows(path: Path, last: int, arrays: dict[int, Any], driver: Driver, half: bool) -> bool:
    """Whether the file, ending with the operator `last`, gives a value that is not finite."""
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="edgebundle-cut-") as folder:
        cut = Path(folder) / "cut.tflite"
        cut.write_bytes(_cut(path, last, set(arrays)))
        try:
            with Accelerated(cut, driver, half) as file:
                return not all(np.isfinite(value).all() for value in file.run(arrays).values())
        except VerificationError:
            return False  # an end that the accelerator cannot give out tells nothing


def _cut(path: Path, last: int, inputs: set[int]) -> bytes:
    model = load_model(path)
    main = model.subgraphs[0]
    main.operators = main.operators[: last + 1]
    main.outputs = [main.operators[last].outputs[0]]
    model.signatureDefs = None
    return write_model(model)
