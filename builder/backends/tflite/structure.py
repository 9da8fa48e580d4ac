"""What decides which instructions a TFLite file executes: its operations and their options, the types and shapes of its tensors.

Kernels do the same work whatever the values of weights and scales are, so that files that differ only in these (another way of
setting ranges, corrected biases) have one structure.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.graph import Tensor, read_graph

_INDICES = ("INT32", "INT64")  # of constants: shapes, paddings and axes, unless they have a scale and are biases


def hash_structure(file: Path) -> str:
    """Equal for two files that execute the same instructions. Raises VerificationError for what is no TFLite file."""
    model = load_model(file)
    graph = read_graph(model)
    operators = model.subgraphs[0].operators
    parts = {
        "ops": [
            [op.name, op.version, op.inputs, op.outputs, _options(raw)]
            for op, raw in zip(graph.ops, operators, strict=True)
        ],
        "tensors": [_describe(tensor) for tensor in graph.tensors],
        "ends": [graph.inputs, graph.outputs],
        "subgraphs": len(model.subgraphs),
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _describe(tensor: Tensor) -> list[object]:
    data = tensor.data
    steers = data is not None and tensor.dtype in _INDICES and not tensor.scale.size
    return [
        tensor.shape,
        tensor.dtype,
        tensor.scale.size,
        bytes(data).hex() if steers and data is not None else data is not None,
    ]


def _options(operator: Any) -> dict[str, str]:
    values: dict[str, str] = {}
    for kind in ("builtinOptions", "builtinOptions2"):
        options = getattr(operator, kind, None)
        values |= {f"{kind}.{name}": str(value) for name, value in sorted(vars(options).items())} if options else {}
    custom = operator.customOptions
    return values | ({"custom": bytes(bytearray(custom)).hex()} if custom is not None and len(custom) else {})
