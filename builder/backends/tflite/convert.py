"""The source network as an fp32 TFLite model, by litert-torch, with image inputs and outputs in NHWC."""

from __future__ import annotations

import re
from typing import Any

from builder.backends.base import Lowered
from builder.backends.tflite.flatbuffer import read_model, slim, write_model
from builder.backends.tflite.graph import Graph, read_graph
from builder.backends.tflite.loading import require_running
from builder.backends.tflite.match import find_layers
from builder.backends.tflite.names import name_tensors
from builder.bundle import Binding, TensorSpec
from builder.errors import ConversionError, VerificationError, find_reason
from builder.graph.model import Model

LITERT_TORCH = "litert-torch"
SIGNATURE = "serving_default"  # litert-torch's name for the only signature
_TYPES = {"FLOAT32": "float32", "INT32": "int32", "INT64": "int64"}


def to_float_file(model: Model, route: str = LITERT_TORCH) -> tuple[bytes, Lowered]:
    """The fp32 file with its layers named, and how its inputs and outputs map to the model's. Raises ConversionError.

    It does not depend on a plan: all plans of a model can start from one conversion. `route` is the converter.
    """
    if route == LITERT_TORCH:
        converted = read_model(convert_by_litert(model))
    else:
        from builder.backends.tflite import onnx2tf

        converted = read_model(onnx2tf.convert(model))
        _sign(converted)
    lowered = name_layers(converted, model, route)
    slim(converted)
    content = write_model(converted)
    require_running(content, route)
    return content, lowered


def name_layers(converted: Any, model: Model, route: str = LITERT_TORCH) -> Lowered:
    """How inputs and outputs map to the model's; its layers and borders get their names. Raises ConversionError."""
    main = converted.subgraphs[0]
    if len(converted.signatureDefs or []) != 1:
        raise ConversionError(f"{route} wrote a file without its signature; report this with the model.")
    signature = converted.signatureDefs[0]
    inputs = _in_order(signature.inputs, "args_", model.inputs, route)
    outputs = _in_order(signature.outputs, "output_", model.outputs, route)
    graph = read_graph(converted)
    lowered = Lowered(
        inputs=tuple(
            _binding(spec, tensor, list(main.inputs).index(tensor), graph, route)
            for spec, tensor in zip(model.inputs, inputs, strict=True)
        ),
        outputs=tuple(
            _binding(spec, tensor, list(main.outputs).index(tensor), graph, route)
            for spec, tensor in zip(model.outputs, outputs, strict=True)
        ),
    )
    specs = (*model.inputs, *model.outputs)
    borders = {tensor: spec.name for spec, tensor in zip(specs, (*inputs, *outputs), strict=True)}
    if len(borders) != len(specs):
        raise ConversionError(
            "two inputs or outputs of the model are the same tensor, which a TFLite signature cannot name; return it once."
        )
    try:
        layers = find_layers(graph, model)
    except VerificationError as error:
        raise ConversionError(str(error)) from error
    name_tensors(converted, layers, borders)
    return lowered


def _sign(converted: Any) -> None:
    """A signature as litert-torch writes it, for a file without one: inputs and outputs are in the order of the network's."""
    from ai_edge_litert import schema_py_generated as schema

    main = converted.subgraphs[0]

    def entries(prefix: str, tensors: Any) -> list[Any]:
        return [
            schema.TensorMapT(name=f"{prefix}{number}", tensorIndex=int(tensor))
            for number, tensor in enumerate(tensors)
        ]

    converted.signatureDefs = [
        schema.SignatureDefT(
            inputs=entries("args_", main.inputs), outputs=entries("output_", main.outputs), signatureKey=SIGNATURE
        )
    ]


def convert_by_litert(model: Model, quant_config: Any = None) -> bytes:
    """litert-torch's file, as it makes it. Raises ConversionError."""
    import litert_torch
    import torch

    samples = tuple(_sample(spec) for spec in model.inputs)
    images = [
        [number for number, spec in enumerate(specs) if spec.kind == "image"] for specs in (model.inputs, model.outputs)
    ]
    try:
        module: Any = _with_reshapes(model.program.module())
        wrapped = litert_torch.to_channel_last_io(module, args=images[0], outputs=images[1]) if any(images) else module
        with torch.no_grad():
            content: bytes = litert_torch.convert(wrapped, samples, quant_config=quant_config).model_content()
    except Exception as error:  # the converter raises whatever its layers raise; the worker's log has the rest
        raise ConversionError(f"litert-torch cannot convert the model ({find_reason(error)}).") from error
    return content


def _with_reshapes(module: Any) -> Any:
    """Views as reshapes: litert-torch runs the network again with channels last, where a view may find memory in another order."""
    import torch

    for node in module.graph.nodes:
        if node.target in (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default):
            node.target = torch.ops.aten.reshape.default
    module.recompile()
    return module


def _sample(spec: TensorSpec) -> Any:
    """Zeros of an input's shape, as the wrapped module takes it."""
    import torch

    shape = spec.shape
    if spec.kind == "image":
        shape = (shape[0], *shape[2:], shape[1])
    return torch.zeros(shape, dtype=getattr(torch, spec.dtype))


def _in_order(entries: Any, prefix: str, specs: tuple[TensorSpec, ...], route: str) -> list[int]:
    """Tensor indices in the order of `forward`. Raises ConversionError when the converter dropped or added one."""
    places: dict[int, int] = {}
    for entry in entries or []:
        name = entry.name.decode() if isinstance(entry.name, bytes) else entry.name
        match = re.fullmatch(re.escape(prefix) + r"(\d+)", name)
        if match:
            places[int(match.group(1))] = int(entry.tensorIndex)
    if sorted(places) != list(range(len(specs))):
        names = (
            ", ".join(repr(spec.name) for number, spec in enumerate(specs) if number not in places)
            or f"{len(places)} instead of {len(specs)}"
        )
        raise ConversionError(
            f"{route} dropped or added an input or output ({names}); remove what the model does not use."
        )
    return [places[number] for number in range(len(specs))]


def _binding(spec: TensorSpec, tensor: int, index: int, graph: Graph, route: str) -> Binding:
    entry = graph.tensors[tensor]
    turned = (spec.shape[0], *spec.shape[2:], spec.shape[1]) if len(spec.shape) == 4 else spec.shape
    # onnx2tf turns outputs of four axes that are no pictures too.
    turns = spec.kind == "image" or (route != LITERT_TORCH and entry.shape == turned != spec.shape)
    layout, expected = ("NHWC", turned) if turns else ("plain", spec.shape)
    if entry.shape != tuple(expected) or entry.dtype not in _TYPES:
        raise ConversionError(
            f"{route} made {spec.name!r} a {entry.dtype} tensor of shape {list(entry.shape)} where {list(expected)} was expected; "
            "return and take float32 or int32 tensors of fixed shape."
        )
    return Binding.model_validate(
        {"name": spec.name, "index": index, "layout": layout, "shape": entry.shape, "dtype": _TYPES[entry.dtype]}
    )
