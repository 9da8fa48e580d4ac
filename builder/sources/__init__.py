"""Loading a trained network from the format it comes in; one file per format."""

from __future__ import annotations

from pathlib import Path

from builder.backends.base import Model
from builder.bundle import TensorSpec
from builder.config import Config


def load_model(config: Config, folder: Path) -> Model:
    """The source network of a builder.toml in `folder`, exported for inference, batch norms folded.

    Raises SourceError for anything that is wrong with the model, its checkpoint or its declared shapes.
    """
    from builder.legalize.batch_norm import fold_batch_norms
    from builder.precision.layers import layer_table
    from builder.sources import checkpoint, exported

    if config.model.source.endswith(".pt2"):
        program = exported.load(folder / config.model.source, config)
    else:
        program = checkpoint.load(folder, config)
    program = fold_batch_norms(program)
    inputs, outputs = specs(config, folder, exported.output_shapes(program))
    return Model(program=program, inputs=inputs, outputs=outputs, layers=layer_table(program))


def specs(
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
