"""ONNX files, opset 7 to the newest, as the same exported program that PyTorch models become.

read -> bind (names, layout, shapes of builder.toml) -> simplify (onnxsim) -> import (one call a node) -> torch.export, and
a gate that compares the result with ONNX Runtime running the file as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import SourceAgreement, TensorSpec
from builder.errors import SourceError, find_reason
from builder.project.config import Config
from builder.sources.loaded import Loaded

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors
    from builder.quality.parity import Run
    from builder.sources.network import Imported
    from builder.sources.onnx.bound import BoundInput, BoundOutput
    from builder.sources.onnx.runtime import Reference

# What 8 bits leave of agreement in the worst networks seen; wrong ones are below.
QUANTIZED_LEAST_DB = 20.0


def load(path: Path, config: Config, *, trained: bool = False) -> Loaded:
    """`trained`: a quantized file keeps its integers, scales and zero points; else its network is that of before rounding.

    Raises SourceError and UnsupportedOperation, naming the input, the tensor or the node."""
    import torch

    from builder.quality.parity import draw_sample
    from builder.sources.onnx.bind import bind_inputs, bind_outputs
    from builder.sources.onnx.network import import_graph
    from builder.sources.onnx.read import read
    from builder.sources.onnx.runtime import Reference
    from builder.sources.onnx.simplify import simplify
    from builder.sources.onnx.trained import HOW, build_trained_module
    from builder.sources.quantized import unify_quantizers

    model = read(path)
    inputs, outputs = bind_inputs(model, config.input), bind_outputs(model, config.output)
    reference = Reference(path, inputs, outputs)
    specs = tuple(
        TensorSpec(name=t.name, kind=t.kind, shape=t.shape, dtype=t.dtype, range=t.range) for t in config.input
    )
    sample = draw_sample(specs, 0)
    shapes = {name: value.shape for name, value in reference.raw(sample).items()}
    for section in config.output:
        shape = shapes[section.name]
        if section.kind == "image" and len(shape) == 4 and shape[1] != 3 and shape[3] == 3:
            reference.nhwc.add(section.name)
    small = simplify(model, inputs, outputs, shapes, reference.nhwc)
    imported = import_graph(
        small,
        {value.name: torch.from_numpy(sample[b.name]) for value, b in zip(small.graph.input, inputs, strict=False)},
    )
    arguments = tuple(torch.from_numpy(sample[b.name]) for b in inputs)
    trained = trained and imported.quantized
    module = build_trained_module(imported) if trained else imported.module(quantizers=False)
    try:
        program = torch.export.export(module, arguments)
    except Exception as error:  # torch.export raises what its many parts raise
        raise SourceError(
            f"torch.export cannot capture the import of {path}: {find_reason(error)}; please report the model."
        ) from error

    file = _File(
        path=path,
        inputs=inputs,
        outputs=outputs,
        specs=specs,
        small=small,
        imported=imported,
        original=reference,
        trained=trained,
    )
    return Loaded(program=unify_quantizers(program, HOW) if trained else program, gate=partial(_agreement, file))


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file that was read: its inputs and outputs as builder.toml names them, simplified, imported, and as ONNX Runtime runs it."""

    path: Path
    inputs: tuple[BoundInput, ...]
    outputs: tuple[BoundOutput, ...]
    specs: tuple[TensorSpec, ...]
    small: ModelProto
    imported: Imported
    original: Reference
    trained: bool


def _agreement(
    file: _File, program: ExportedProgram, samples: Iterable[Tensors], outputs: tuple[TensorSpec, ...]
) -> SourceAgreement:
    """Of the import with ONNX Runtime; a quantized file is compared with its roundings, and without them too. Raises SourceError."""
    from builder.quality.parity import Original, agree, gate, make_torch_run
    from builder.sources.onnx.gate import gate_steps
    from builder.sources.onnx.runtime import Reference, describe_runtime, make_jittered, round_sample

    small, original, where = file.small, file.original, file.path.name
    samples = (round_sample(each, file.inputs) for each in samples)
    runs = make_torch_run(program.module(), file.specs, outputs)
    names = [b.name for b in file.inputs], [b.name for b in file.outputs]
    if not file.imported.quantized:
        # the noise of fp16 is that of its weights: its inputs are rounded away from a smaller one
        moved = [make_jittered(small, *names, seed) for seed in range(3)] if _has_halves(small) else []
        return gate(
            Original(run=original, runtime=describe_runtime(), again=tuple(moved)), runs, samples, outputs, where=where
        )
    samples = list(samples)
    feed = {v.name: samples[0][b.name] for v, b in zip(small.graph.input, file.inputs, strict=False)}
    gate_steps(small, file.imported, feed)
    rounding = runs if file.trained else make_torch_run(file.imported.module(), file.specs, outputs)
    fused = Reference(file.path, file.inputs, file.outputs, optimized=True)  # its integer kernels round otherwise
    fused.nhwc = original.nhwc
    again: tuple[Run, ...] = (fused, *(make_jittered(small, *names, seed) for seed in range(3)))
    noisy = Original(run=original, runtime=describe_runtime(), again=again)
    agreement = gate(noisy, rounding, samples, outputs, where=where)
    if file.trained:
        return agreement
    floats = min(agree(runs(s), original(s), outputs) for s in samples)
    if floats < QUANTIZED_LEAST_DB:
        raise SourceError(
            f"without its activations' quantization the model {where} agrees with itself to {floats:.1f} dB only; "
            "keep it as it was trained (no 'scheme', 'plan' or search in any [[variant]]), or bring the float model that it was quantized from."
        )
    return agreement


def _has_halves(model: ModelProto) -> bool:
    """Whether some weight is in fp16."""
    import onnx

    return any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
