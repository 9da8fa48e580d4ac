"""Loading a trained network from the format it comes in; one file per format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import SourceAgreement, TensorSpec
from builder.errors import SourceError
from builder.graph.model import Model
from builder.graph.refusals import refuse_open_sizes
from builder.project.config import Config
from builder.project.integers import keeps_integers
from builder.project.source_kinds import find_source_kind

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from builder.sources.loaded import Loaded
    from builder.storage.environments import Environment


def load_model(config: Config, folder: Path) -> Model:
    """`load_checked` without evaluation data: an import is compared with its source on random samples only."""
    return load_checked(config, folder, ())[0]


def load_checked(config: Config, folder: Path, evaluation: tuple[Path, ...]) -> tuple[Model, SourceAgreement | None]:
    """The source network of a builder.toml in `folder`, exported for inference, batch norms folded.

    An imported one has agreed with the runtime of its own file on the evaluation files and on random samples.
    Raises SourceError for anything that is wrong with the model, its checkpoint or its declared shapes.
    """
    from builder.legalize.at_source import in_float32, make_plain
    from builder.precision.layers import list_layers
    from builder.quality.parity import gate_samples
    from builder.sources import exported
    from builder.sources.batch_norm import fold_batch_norms
    from builder.sources.names import rename_clashes
    from builder.sources.output_types import cast_outputs

    loaded = load_source(config, folder)
    store_as_leaves(loaded.program)
    refuse_open_sizes(loaded.program)
    program = fold_batch_norms(make_plain(rename_clashes(loaded.program)))
    inputs, outputs = make_specs(config, folder, exported.list_output_shapes(program))
    check_pictures(outputs)
    agreement = loaded.gate(program, gate_samples(evaluation, inputs), outputs) if loaded.gate is not None else None
    program = cast_outputs(in_float32(program), outputs)
    table = list_layers(program)
    return Model(program=program, inputs=inputs, outputs=outputs, layers=table, told=loaded.told), agreement


def store_as_leaves(program: ExportedProgram) -> None:
    """Weights without the history of how they were made, which an archive's have, and which cannot be copied.

    Buffers that a state dict leaves out (`persistent=False`) are weights of the network like all others.
    """
    import torch
    from torch.export.graph_signature import InputKind

    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.BUFFER and not spec.persistent and spec.target in program.constants:
            program.state_dict[spec.target] = program.constants.pop(spec.target)
            spec.persistent = True
    for key, value in program.state_dict.items():
        if isinstance(value, torch.nn.Parameter):
            value.requires_grad_(False)
        elif value.requires_grad or not value.is_leaf:
            program.state_dict[key] = value.detach()


def load_source(config: Config, folder: Path) -> Loaded:
    """By the kind of file that `source` names."""
    from builder.sources import checkpoint, exported, keras, onnx, tensorflow, torchscript
    from builder.sources.loaded import Loaded

    path, kind = folder / config.model.source, find_source_kind(config.model.source)
    if kind == "factory":
        return checkpoint.load(folder, config)
    if kind == "exported":
        return Loaded(program=exported.load(path, config))
    if kind == "torchscript":
        return torchscript.load(path, config)
    if kind == "onnx":
        return onnx.load(path, config, trained=keeps_integers(config, folder))
    return keras.load(path, config, folder) if kind == "keras" else tensorflow.load(path, config)


def find_environment(config: Config, folder: Path) -> Environment | None:
    """The environment of its own that this source needs, so that it is announced before a worker starts. Raises SourceError."""
    from builder.sources import keras
    from builder.storage.environments import TENSORFLOW, TENSORFLOW_KERAS2

    path, kind = folder / config.model.source, find_source_kind(config.model.source)
    if kind == "tensorflow":
        return TENSORFLOW
    if kind == "keras" and keras.inspect(path).version.startswith("2."):
        return TENSORFLOW_KERAS2
    return None


def check_pictures(outputs: tuple[TensorSpec, ...]) -> None:
    """Raises SourceError for an output of kind `image` that has not the shape of one."""
    for spec in outputs:
        if spec.kind == "image" and (len(spec.shape) != 4 or spec.shape[1] != 3):
            raise SourceError(
                f"output {spec.name!r} has shape {list(spec.shape)}, which is no picture [1, 3, height, width]; set its 'kind' to \"tensor\"."
            )


def make_specs(
    config: Config, folder: Path, output_shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs as the manifest states them; output shapes come from the exported program."""
    from builder.sources.labels import read_labels

    inputs = tuple(
        TensorSpec(
            name=tensor.name,
            kind=tensor.kind,
            shape=tensor.shape,
            dtype=tensor.dtype,
            color_order=tensor.color_order if tensor.kind == "image" else None,
            range=tensor.range,
            mean=tensor.mean,
            std=tensor.std,
            resize=tensor.resize if tensor.kind == "image" else None,
        )
        for tensor in config.input
    )
    outputs = tuple(
        TensorSpec(
            name=tensor.name,
            kind=tensor.kind,
            shape=shape,
            dtype=tensor.dtype,
            color_order=tensor.color_order if tensor.kind == "image" else None,
            range=tensor.range,
            mean=tensor.mean,
            std=tensor.std,
            labels=read_labels(folder / tensor.labels, shape[-1]) if tensor.labels else None,
        )
        for tensor, shape in zip(config.output, output_shapes, strict=True)
    )
    return inputs, outputs
