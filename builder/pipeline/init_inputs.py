"""What a model says of its inputs, in its file or by what it answers to a trial."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from builder.errors import SourceError
from builder.graph.samples import is_plane
from builder.project.config import InputSection

# That are tried where no file says the size.
SIDES = (256, 224, 512, 64)
# For a network that needs seconds for one run at the first.
SMALLER = 128


def describe_picture(name: str, height: int, width: int) -> InputSection:
    return InputSection(name=name, kind="image", shape=(1, 3, height, width), range=(0.0, 1.0))


def read_inputs(path: Path) -> tuple[InputSection, ...] | None:
    """Inputs of a whole model, as its file has them; None where it does not say."""
    if path.suffix == ".onnx":
        return _read_onnx_inputs(path)
    if path.suffix == ".keras":
        return _read_keras_inputs(path)
    return None


def read_inputs_said_by(message: str) -> tuple[InputSection, ...] | None:
    """The input that a network asks for when it is tried with another one; None where the message does not say it."""
    if asked := re.search(r"takes \[([\d?, ]+)\]( \(channels last\))? for input '(\w+)'", message):
        sizes = [0 if size.strip() == "?" else int(size) for size in asked[1].split(",")]
        return (make_section(asked[3], sizes, "float32"),)
    channels = re.search(r"expected input\[1, 3, (\d+), (\d+)\] to have (\d+) channels", message)
    if channels is not None and channels[3] != "3":
        return (make_section("image", [1, int(channels[3]), int(channels[1]), int(channels[2])], "float32"),)
    return None


def _read_onnx_inputs(path: Path) -> tuple[InputSection, ...]:
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # protobuf's reader raises whatever it stumbles over
        raise SourceError(f"{path} is damaged or not an ONNX file; export it again.") from error
    stored = {tensor.name for tensor in graph.initializer}
    kinds = {onnx.TensorProto.INT32: "int32", onnx.TensorProto.INT64: "int64"}
    return tuple(
        make_section(
            value.name,
            [int(size.dim_value) for size in value.type.tensor_type.shape.dim],
            kinds.get(value.type.tensor_type.elem_type, "float32"),
        )
        for value in graph.input
        if value.name not in stored
    )


_DTYPES = {"int32": "int32", "int64": "int64"}


def _read_keras_inputs(path: Path) -> tuple[InputSection, ...] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SourceError(f"{path} is damaged or not a .keras file; save it again with model.save.") from error
    layers = config.get("config", {}).get("layers", [])
    configs = [layer["config"] for layer in layers if layer.get("class_name") == "InputLayer"]  # in the network's order
    if not configs:  # a network of its own class
        configs = [{"name": "image", "batch_shape": (config.get("build_config") or {}).get("input_shape")}]
    shapes = [entry.get("batch_shape") for entry in configs]
    if not all(
        isinstance(shape, list) and all(size is None or isinstance(size, int) for size in shape) for shape in shapes
    ):
        return None
    return tuple(
        make_section(entry["name"], [size or 0 for size in shape], _DTYPES.get(entry.get("dtype"), "float32"))
        for entry, shape in zip(configs, shapes, strict=True)
    )


def make_section(name: str, shape: list[int], dtype: str) -> InputSection:
    """Sizes that are open (0) become 1 in front, and the usual side elsewhere; a picture in NHWC is written as NCHW, as builder.toml has it."""
    sizes = [size if size > 0 else 1 if place == 0 else SIDES[0] for place, size in enumerate(shape)]
    clean = re.sub(r"\W", "_", name)
    clean = clean if re.match(r"[A-Za-z_]", clean) else f"_{clean}"
    if len(sizes) == 4 and sizes[1] not in (1, 3) and sizes[3] in (1, 3):
        sizes = [sizes[0], sizes[3], sizes[1], sizes[2]]
    if len(sizes) == 4 and sizes[:2] == [1, 3] and dtype == "float32":
        return describe_picture(clean, sizes[2], sizes[3])
    values: dict[str, Any] = {
        "name": clean,
        "kind": "vector" if len(sizes) == 2 else "tensor",
        "shape": sizes or [1],
        "dtype": dtype,
    }
    if is_plane(tuple(sizes)) and dtype == "float32":
        values["range"] = (0.0, 1.0)
    return InputSection.model_validate(values)
