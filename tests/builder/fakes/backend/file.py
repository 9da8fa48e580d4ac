"""A fake file: an .npz with the calls of the program as JSON and the weights of each layer in its scheme."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.backends.base import StoredLayer

if TYPE_CHECKING:
    from builder.bundle import Binding
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.precision.plan import ResolvedPlan

SCHEMES = {"float32": "fp32", "float16": "fp16", "int8": "weight_only_wi8_afp32"}


def write(model: Model, plan: ResolvedPlan, out: Path, flavour: str) -> None:
    program = model.program
    arrays: dict[str, Any] = {}
    scales: dict[str, float] = {}
    signature = program.graph_signature
    keys = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    for node_name, key in keys.items():
        value = program.state_dict[key].detach().numpy()
        arrays[node_name] = value
        layer = key.removesuffix(".weight")
        if layer in plan.choices and key.endswith(".weight"):
            arrays[node_name], scales[node_name] = _stored(value, plan.scheme(layer).name)
    for node_name, key in signature.inputs_to_lifted_tensor_constants.items():
        arrays[node_name] = program.constants[key].numpy()
    calls = [
        {"name": node.name, "target": str(node.target), "args": _plain(node.args), "kwargs": _plain(dict(node.kwargs))}
        for node in program.graph.nodes
        if node.op == "call_function"
    ]
    ends = next(node for node in program.graph.nodes if node.op == "output").args[0]
    about = {
        "flavour": flavour,
        "scales": scales,
        "calls": calls,
        "inputs": list(signature.user_inputs),
        "outputs": [node.name for node in ends],
        "layers": {node: key.removesuffix(".weight") for node, key in keys.items() if key.endswith(".weight")},
    }
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with out.open("wb") as stream:
        np.savez(stream, **arrays)


def _stored(value: Any, scheme: str) -> tuple[Any, float]:
    """Weights in their scheme, and what to multiply them by."""
    if scheme in ("fp16", "fp32"):
        return value.astype(np.float16 if scheme == "fp16" else np.float32), 1.0
    scale = float(np.abs(value).max()) / 127
    return np.round(value / scale).astype(np.int8), scale


def _plain(value: Any) -> Any:
    """Arguments as JSON; a node is its name."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return {"node": value.name}


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("about").tobytes()), arrays


def layers(path: Path) -> tuple[StoredLayer, ...]:
    about, arrays = read(path)
    return tuple(
        StoredLayer(
            name=layer,
            op="conv",
            scheme=SCHEMES[str(arrays[node].dtype)],
            weight_shape=arrays[node].shape,
            weight_bytes=arrays[node].nbytes,
        )
        for node, layer in about["layers"].items()
    )


def operators(path: Path) -> list[str]:
    """`conv2d.default` and so on."""
    return [call["target"].removeprefix("aten.") for call in read(path)[0]["calls"]]


def run(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], given: Tensors) -> Tensors:
    import torch

    about, arrays = read(path)
    values: dict[str, Any] = {}
    for name, array in arrays.items():
        values[name] = torch.from_numpy(array.astype(np.float32) * np.float32(about["scales"].get(name, 1.0)))
    values |= {node: torch.from_numpy(given[spec.name]) for node, spec in zip(about["inputs"], inputs, strict=True)}

    def known(part: Any) -> Any:
        if isinstance(part, list):
            return [known(one) for one in part]
        return values[part["node"]] if isinstance(part, dict) else part

    with torch.no_grad():
        for call in about["calls"]:
            operator: Any = torch.ops
            for word in call["target"].split("."):
                operator = getattr(operator, word)
            values[call["name"]] = operator(*known(call["args"]), **{k: known(v) for k, v in call["kwargs"].items()})
    return {spec.name: values[node].numpy() for node, spec in zip(about["outputs"], outputs, strict=True)}
