"""Keras 3 files (`.keras`, `.h5`) without TensorFlow: rebuilt as NCHW torch steps by layer name.

Keras 2 files, which Keras 3 reads wrongly or not at all, go the way of SavedModels. The gate compares the result with the
Keras model itself, run by Keras on its torch backend.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.bundle import SourceAgreement, TensorSpec
from builder.errors import MissingToolError, SourceError, UnsupportedOperation, find_reason
from builder.project.config import Config, InputSection
from builder.sources.loaded import Loaded
from builder.sources.own_code import import_own
from builder.suggest import did_you_mean

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors


def load(path: Path, config: Config, folder: Path) -> Loaded:
    """`folder`: where builder.toml and the user's own classes lie.

    Raises SourceError, UnsupportedOperation naming the layer, and MissingToolError where Keras is not installed."""
    import torch

    from builder.quality.parity import Original, draw_sample, make_torch_run
    from builder.quality.parity import gate as gate_outputs
    from builder.sources.keras.layers import TO_NCHW, TO_NHWC
    from builder.sources.keras.rebuild import rebuild

    facts = inspect(path)
    refuse_lambdas(facts.config, path)
    named = config.model.custom_objects
    if named is None or facts.version.startswith("2."):
        refuse_custom(facts.config, path, ())
    if facts.version.startswith("2."):
        from builder.sources import tensorflow

        return tensorflow.load(path, config)
    keras = import_keras()
    own: dict[str, Any] = {}
    if named is not None:  # after Keras has its backend, which the user's module imports too
        own = import_objects(folder, named)
        refuse_custom(facts.config, path, own)
    model = read(keras, path, own)
    order, outputs_at = bind(model, config, path), bind_outputs(model, config)
    specs = tuple(
        TensorSpec(name=t.name, kind=t.kind, shape=t.shape, dtype=t.dtype, range=t.range) for t in config.input
    )
    sample = draw_sample(specs, 0)
    imported, islands = rebuild(model, [torch.from_numpy(sample[name]) for name in order])
    imported = replace(
        imported,
        inputs=tuple(imported.inputs[order.index(spec.name)] for spec in specs),
        outputs=tuple(imported.outputs[place] for place in outputs_at),
    )
    try:
        program = torch.export.export(imported.module(), tuple(torch.from_numpy(sample[spec.name]) for spec in specs))
    except Exception as error:  # torch.export raises what its many parts raise
        raise UnsupportedOperation(
            f"torch.export cannot capture the Keras model {path}: {find_reason(error)}; its layers {', '.join(islands) or 'all known'} run as Keras "
            "has them: use layers that are supported, or export the model to ONNX."
        ) from error

    def gate(program: ExportedProgram, samples: Iterable[Tensors], outputs: tuple[TensorSpec, ...]) -> SourceAgreement:
        def reference(sample: Tensors) -> Tensors:
            tensors = [torch.from_numpy(sample[name]) for name in order]
            with torch.no_grad():
                raw = model([t.permute(TO_NHWC) if t.ndim == 4 else t for t in tensors], training=False)
            flat = keras.tree.flatten(raw)
            values = [y.permute(TO_NCHW) if y.ndim == 4 else y for y in (flat[place] for place in outputs_at)]
            return {spec.name: y.detach().numpy() for spec, y in zip(outputs, values, strict=True)}

        where = f"{path.name} (run as they are: {', '.join(islands)})" if islands else path.name
        original = Original(run=reference, runtime=f"Keras {keras.__version__} (torch)")
        return gate_outputs(original, make_torch_run(program.module(), specs, outputs), samples, outputs, where=where)

    return Loaded(program=program, gate=gate)


@dataclass(frozen=True)
class Facts:
    """What a file says of itself without Keras: the version that wrote it, and the model's configuration."""

    version: str
    config: Any


def inspect(path: Path) -> Facts:
    """Raises SourceError for what is no Keras model."""
    if not path.is_file():
        raise SourceError(f"the model {path} does not exist; correct 'source' in builder.toml.")
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
                return Facts(version, json.loads(archive.read("config.json")))
        return _inspect_h5(path)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, EOFError, RuntimeError) as error:
        raise SourceError(
            f"the model {path} is damaged or no whole Keras model ({find_reason(error)}); save it again with model.save."
        ) from error


def _inspect_h5(path: Path) -> Facts:
    try:
        import h5py
    except ImportError as error:
        raise MissingToolError("a Keras model needs h5py: pip install 'edgebundle[keras]'.") from error
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights only")
        return Facts(_text(file.attrs.get("keras_version", "2.0")), json.loads(_text(file.attrs["model_config"])))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def refuse_lambdas(config: Any, path: Path) -> None:
    """A Lambda layer is stored Python code. Raises SourceError naming it."""
    todo = [config]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            if part.get("class_name") in ("Lambda", "__lambda__"):
                name = (
                    part.get("config", {}).get("name", "lambda") if isinstance(part.get("config"), dict) else "lambda"
                )
                raise SourceError(
                    f"the model {path} has the Lambda layer {name!r}, which is stored code and never run; replace it by layers or keras.ops."
                )
            todo += part.values()
        elif isinstance(part, list):
            todo += part


def import_objects(folder: Path, named: str) -> dict[str, Any]:
    """The user's own classes and functions by name. Raises SourceError."""
    module, _, name = named.partition(":")
    loaded = import_own(folder, module, named, what="the module of custom_objects", key="custom_objects")
    objects = getattr(loaded, name, None)
    if not isinstance(objects, dict) or not all(isinstance(key, str) for key in objects):
        near = [key for key, value in vars(loaded).items() if isinstance(value, dict) and not key.startswith("__")]
        raise SourceError(f"{loaded.__file__} has no dict {name!r} of classes by name{did_you_mean(name, near)}")
    return objects


def refuse_custom(config: Any, path: Path, own: Collection[str]) -> None:
    """A class that is neither Keras's nor among the user's `own` is code that the file does not hold. Raises SourceError naming it and the layer."""
    todo = [config]
    while todo:
        part = todo.pop(0)
        if isinstance(part, dict):
            module, known = part.get("module"), part.get("registered_name")
            if part.get("class_name") == "function":
                known = part.get("config")  # its name
            given = {str(known), str(known).rpartition(">")[2]} & set(own)
            if "module" in part and known is not None and not str(module).startswith("keras") and not given:
                where = f"the layer {part['name']!r}" if part.get("name") else "something"
                raise SourceError(
                    f"the model {path} has {where} of the class {known!r}, which is not Keras's own, and whose code is not in the file; "
                    'name a dict that has it as custom_objects = "module:name" in [model] of builder.toml.'
                )
            todo += part.values()
        elif isinstance(part, list):
            todo += part


def import_keras() -> Any:
    """Keras on its torch backend. Raises MissingToolError."""
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError as error:
        raise MissingToolError("a Keras model needs keras: pip install 'edgebundle[keras]'.") from error
    if keras.backend.backend() != "torch" or "tensorflow" in sys.modules:
        raise SourceError("Keras was loaded with another backend before; unset KERAS_BACKEND.")
    return keras


def read(keras: Any, path: Path, own: Mapping[str, Any]) -> Any:
    """The model with `safe_mode`, its weights frozen. Raises SourceError."""
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True, custom_objects=dict(own))
    except Exception as error:  # Keras raises what its layers' from_config raise
        raise SourceError(
            f"Keras {keras.__version__} cannot load the model {path}: {find_reason(error)}; custom layers have to be replaced by Keras's own or by keras.ops."
        ) from error
    model.trainable = False
    for variable in model.variables:
        variable.value.requires_grad_(False)
    return model


def bind(model: Any, config: Config, path: Path) -> list[str]:
    """Names of builder.toml in the order of the model's inputs. Raises SourceError for what does not fit."""
    import keras

    from builder.sources.onnx.names import make_plain

    inputs = keras.tree.flatten(model.inputs)
    if len(inputs) != len(config.input):
        raise SourceError(
            f"the model {path} has {len(inputs)} inputs but builder.toml names {len(config.input)}; write one [[input]] for each."
        )
    if len(keras.tree.flatten(model.outputs)) != len(config.output):
        raise SourceError(
            f"the model {path} has {len(keras.tree.flatten(model.outputs))} outputs but builder.toml names {len(config.output)}; write one [[output]] for each."
        )
    names = [config.input[0].name] if len(inputs) == 1 else [make_plain(tensor.name) for tensor in inputs]
    sections = {tensor.name: tensor for tensor in config.input}
    for name, tensor in zip(names, inputs, strict=True):
        if name not in sections:
            raise SourceError(
                f"the model has an input {name!r} that builder.toml does not name; its inputs are {', '.join(names)}."
            )
        _check(sections[name], tuple(tensor.shape), str(tensor.dtype))
    return names


def bind_outputs(model: Any, config: Config) -> list[int]:
    """For each [[output]] the place among the model's outputs: by name where it has all of the names, else in its order.

    Names are the keys of a model that gives a dict, whose order Keras does not keep, else those of its last layers. Raises SourceError
    for a key that is not there.
    """
    import keras

    wanted = [output.name for output in config.output]
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict):
        keys = [str(path[-1]) for path, _ in keras.tree.flatten_with_path(structure)]
        missing = next((name for name in wanted if name not in keys), None)
        if missing is not None and len(wanted) > 1:
            raise SourceError(
                f"the model gives no output {missing!r}, its outputs are {', '.join(keys)}; name each [[output]] of builder.toml as the model does."
            )
        return [keys.index(name) for name in wanted] if missing is None else [0]
    names = list(getattr(model, "output_names", None) or ())
    if len(set(names)) == len(names) and sorted(names) == sorted(wanted):
        return [names.index(name) for name in wanted]
    return list(range(len(wanted)))


def _check(section: InputSection, has: Sequence[int | None], dtype: str) -> None:
    shape = section.shape
    wanted = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
    if len(has) != len(wanted) or any(a is not None and a != b for a, b in zip(has, wanted, strict=True)):
        listed = ", ".join("?" if size is None else str(size) for size in has)
        raise SourceError(
            f"the model takes [{listed}] (channels last) for input {section.name!r} but builder.toml says {list(shape)} (channels first); correct 'shape'."
        )
    if dtype != section.dtype:
        raise SourceError(
            f"the model takes {dtype} for input {section.name!r} but builder.toml says {section.dtype}; correct 'dtype'."
        )
