"""ONNX files made in tests, and a builder.toml for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from builder.project.config import Config

Array = NDArray[np.generic]

# What the oldest ONNX Runtime that reads each opset takes as the format's version.
IR_VERSION = 8
_TYPES = {
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


def make_node_model(
    op: str,
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    *,
    order: Sequence[str] | None = None,
    outputs: int = 1,
    opset: int = 18,
    **attributes: Any,
) -> onnx.ModelProto:
    """A graph of one node. `order` are its inputs by name ('' omits one); by default inputs, then constants."""
    stored = dict(constants or {})
    names = list(order) if order is not None else [*inputs, *stored]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name="the_node", **attributes)
    values = [helper.make_tensor_value_info(n, _TYPES[v.dtype.name], v.shape) for n, v in inputs.items()]
    stores = [numpy_helper.from_array(v, n) for n, v in stored.items()]
    return make_graph_model(
        [node], values, [helper.make_empty_tensor_value_info(r) for r in results], stores, opset=opset
    )


def make_graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[TensorProto] = (),
    *,
    opset: int = 18,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10 if opset < 23 else 11)


def picture(name: str, *shape: int | str | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def config(
    source: str,
    inputs: Mapping[str, Sequence[int]],
    outputs: Sequence[str] = ("y",),
    *,
    kind: str = "tensor",
    dtypes: Mapping[str, str] | None = None,
) -> Config:
    """A builder.toml of these inputs and outputs; `kind` is that of all of them."""
    scale = {"range": [0.0, 1.0]} if kind == "image" else {}
    return Config.model_validate(
        {
            "model": {"name": "net", "source": source, "licence": "MIT"},
            "input": [
                {
                    "name": name,
                    "kind": kind,
                    "shape": list(shape),
                    "dtype": (dtypes or {}).get(name, "float32"),
                    **scale,
                }
                for name, shape in inputs.items()
            ],
            "output": [{"name": name, "kind": kind, **scale} for name in outputs],
            "data": {"evaluation": "evaluation/*"},
            "variant": [{"backend": "tflite", "delegate": "xnnpack", "scheme": "fp32"}],
        }
    )


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path
