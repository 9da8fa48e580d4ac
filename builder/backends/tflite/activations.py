"""What the activations of a float file are over calibration samples, one sample at a time, by tensor name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from builder.backends.base import Lowered
from builder.backends.tflite.flatbuffer import read_model
from builder.backends.tflite.graph import read_graph
from builder.bundle.tensors import to_artifact
from builder.errors import ConversionError
from builder.precision.activations import NO_SAMPLES
from builder.precision.ranges import Observation

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors


def observe_file(content: bytes, lowered: Lowered, samples: Iterable[Tensors]) -> dict[str, Observation]:
    """Every activation of the float file `content`; channels are the last axis. Raises ConversionError without samples."""
    from ai_edge_litert.interpreter import Interpreter

    graph = read_graph(read_model(content))
    used = {index for op in graph.ops for index in (*op.inputs, *op.outputs) if index >= 0}
    kept = [
        t for t in graph.tensors if t.index in used and t.data is None and t.dtype == "FLOAT32" and 0 not in t.shape
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that keeping all tensors takes memory
        interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()
    seen = {tensor.name: Observation() for tensor in kept}
    count = 0
    for sample in samples:
        for binding in lowered.inputs:
            interpreter.set_tensor(inputs[binding.index]["index"], to_artifact(sample[binding.name], binding))
        interpreter.invoke()
        for tensor in kept:
            seen[tensor.name].add(interpreter.get_tensor(tensor.index), -1)
        count += 1
    if not count:
        raise ConversionError(NO_SAMPLES)
    return seen
