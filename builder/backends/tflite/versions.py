"""Op versions and the oldest runtime that knows them, for the ops that the quantizer changes or adds.

The quantizer leaves the versions of the float ops; a runtime that is too old would then load the file and fail later, or give
wrong values. Rules: TensorFlow's tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc; runtimes: runtime_version.cc there.
"""

from __future__ import annotations

import copy
from typing import Any

from builder.backends.tflite.flatbuffer import read_runtime_version, set_runtime_version
from builder.backends.tflite.graph import Graph, Op, read_graph

_RUNTIME: dict[tuple[str, int], str] = {
    ("CONV_2D", 3): "1.14.0",
    ("CONV_2D", 4): "2.3.0",
    ("CONV_2D", 5): "2.4.0",
    ("CONV_2D", 6): "2.9.0",
    ("DEPTHWISE_CONV_2D", 3): "1.14.0",
    ("DEPTHWISE_CONV_2D", 5): "2.3.0",
    ("DEPTHWISE_CONV_2D", 6): "2.3.0",
    ("FULLY_CONNECTED", 3): "1.14.0",
    ("FULLY_CONNECTED", 4): "1.14.0",
    ("FULLY_CONNECTED", 5): "2.0.0",
    ("FULLY_CONNECTED", 6): "2.1.0",
    ("FULLY_CONNECTED", 7): "2.3.0",
    ("FULLY_CONNECTED", 12): "2.17.0",
    ("TRANSPOSE_CONV", 2): "2.2.0",
    ("TRANSPOSE_CONV", 3): "2.3.0",
    ("TRANSPOSE_CONV", 4): "2.13.0",
    ("QUANTIZE", 1): "1.14.0",
    ("QUANTIZE", 2): "1.15.0",
    ("DEQUANTIZE", 2): "1.14.0",
    ("DEQUANTIZE", 3): "1.15.0",
    ("DEQUANTIZE", 5): "2.7.0",
    ("DEQUANTIZE", 6): "2.18.0",
}


def write_versions(model: Any) -> None:
    """Give every op its version and write the oldest runtime into the file's metadata."""
    graph = read_graph(model)
    codes: dict[tuple[int, int], int] = {}
    made: list[Any] = []
    oldest = read_runtime_version(model) or "1.5.0"
    for op, found in zip(model.subgraphs[0].operators, graph.ops, strict=True):
        version = max(found.version, _version(found, graph))
        oldest = max(oldest, _RUNTIME.get((found.name, version), oldest), key=_parts)
        key = (int(op.opcodeIndex), version)
        if key not in codes:
            code = copy.copy(model.operatorCodes[op.opcodeIndex])
            code.version = version
            code.deprecatedBuiltinCode = min(int(code.builtinCode), 127)  # what runtimes before 2.4 read
            codes[key] = len(made)
            made.append(code)
        op.opcodeIndex = codes[key]
    if len(model.subgraphs) == 1:  # other subgraphs refer to the old list
        model.operatorCodes = made
    set_runtime_version(model, oldest)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _version(op: Op, graph: Graph) -> int:
    """The version that the op's types ask for; 1 for what the float converter has already numbered."""
    first, second = (
        graph.tensors[op.inputs[place]] if len(op.inputs) > place and op.inputs[place] >= 0 else None
        for place in (0, 1)
    )
    result = graph.tensors[op.outputs[0]].dtype
    source = first.dtype if first is not None else ""
    weights = second.dtype if second is not None else ""
    by_channel = second is not None and second.scale.size > 1
    hybrid = source == result == "FLOAT32" and weights == "INT8"
    match op.name:
        case "CONV_2D":
            return 4 if source == "INT16" else 3 if source == "INT8" else 5 if hybrid else 1
        case "DEPTHWISE_CONV_2D":
            return 5 if source == "INT16" else 3 if source == "INT8" else 6 if hybrid else 1
        case "FULLY_CONNECTED":
            return 7 if source == "INT16" else 4 if source == "INT8" else (12 if by_channel else 3) if hybrid else 1
        case "TRANSPOSE_CONV":
            return 3 if weights == "INT8" else 1
        case "QUANTIZE":
            return 2 if result == "INT16" else 1
        case "DEQUANTIZE":
            if source == "INT8":
                return 5 if first is not None and first.scale.size > 1 else 2
            return {"INT4": 6, "INT16": 3, "FLOAT16": 3}.get(source, 1)
    return 1
