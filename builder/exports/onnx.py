"""ONNX by torch's dynamo exporter, for ONNX Runtime and ONNX Runtime Web; compared with the source model in ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import ConfigError, ConversionError, find_reason
from builder.exports.request import ExportRequest

if TYPE_CHECKING:
    from onnx import ModelProto

    from builder.bundle import SourceAgreement
    from builder.graph.tensors import Tensors
    from builder.quality.parity import Run

# The version of ONNX' operators that torch's exporter is written for.
OPSET = 18
# A dynamic file is run at these multiples of its size too, kept to multiples of STEP: one axis each, so that none is left fixed.
OTHER_SIZES = (
    (1.5, 1.0),
    (1.0, 2.0),
)
# Pixels: a network that halves its picture three times still gets whole numbers.
STEP = 8


def write(request: ExportRequest, out: Path) -> SourceAgreement:
    """`NAME.onnx` in `out`. Raises ConversionError, and ConfigError for a dynamic export of a source of fixed sizes."""
    path = out / f"{request.name}.onnx"
    module, arguments = _module(request)
    shapes: Any = None
    if request.dynamic:
        # One more tuple: the network takes its inputs as *inputs.
        shapes = (tuple(_open_sizes() if spec in request.pictures else None for spec in request.model.inputs),)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the exporter tells its steps
            _export(module, arguments, path, request, shapes)
    except Exception as error:  # the exporter raises what its many parts raise
        raise ConversionError(
            f"torch.onnx cannot export the model: {find_reason(error)}; try without --dynamic."
        ) from error
    _strip(path)
    return _compare(request, module, path)


def _export(module: Any, arguments: tuple[Any, ...], path: Path, request: ExportRequest, shapes: Any) -> None:
    import torch

    torch.onnx.export(
        module,
        arguments,
        str(path),
        dynamo=True,
        opset_version=OPSET,
        input_names=[spec.name for spec in request.model.inputs],
        output_names=[spec.name for spec in request.model.outputs],
        dynamic_shapes=shapes,
        external_data=False,
        verbose=False,
    )


def _open_sizes() -> dict[int, Any]:
    import torch

    return {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}


def _module(request: ExportRequest) -> tuple[Any, tuple[Any, ...]]:
    """The exported program's module; for open sizes the eager network, as the program holds fixed ones."""
    import torch

    from builder.project.source_kinds import find_source_kind
    from builder.quality.parity import draw_sample
    from builder.sources import checkpoint

    sample = draw_sample(request.model.inputs, 0)
    arguments = tuple(torch.from_numpy(sample[spec.name]) for spec in request.model.inputs)
    if not request.dynamic:
        return request.program.module(), arguments
    if find_source_kind(request.config.model.source) != "factory":
        raise ConfigError(
            f"{request.config.model.source!r} holds fixed sizes once it is imported; export it without --dynamic, or bring the PyTorch "
            "network as 'module:callable' with a checkpoint."
        )
    if request.config.legalize.freeze_norms:
        raise ConfigError(
            "norms are frozen in a network of fixed sizes: export it without --dynamic, or remove 'freeze_norms' from [legalize]."
        )
    if not request.pictures:
        raise ConfigError("no input of the model is a picture whose size could stay open; export it without --dynamic.")
    return checkpoint.load_module(request.folder, request.config), arguments


def _strip(path: Path) -> None:
    """Without the stack traces and paths that the exporter leaves: equal models give equal files, which name no machine."""
    import onnx

    model: ModelProto = onnx.load(path)
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        kept = [(p.key, p.value) for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _compare(request: ExportRequest, module: Any, path: Path) -> SourceAgreement:
    from builder.quality.parity import Original, gate, gate_samples, make_torch_run
    from builder.sources.onnx.runtime import describe_runtime

    model = request.model
    source = make_torch_run(module, model.inputs, model.outputs)
    run = make_onnx_run(path, [spec.name for spec in model.outputs])
    samples = [
        *gate_samples(request.evaluation, model.inputs),
        *(_make_other_sizes(request) if request.dynamic else ()),
    ]
    return gate(Original(run=source, runtime=describe_runtime()), run, samples, model.outputs, where=path.name)


def make_onnx_run(path: Path, outputs: list[str]) -> Run:
    """The file as its users run it: ONNX Runtime with its optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(sample: Tensors) -> Tensors:
        return dict(zip(outputs, (np.asarray(v) for v in session.run(outputs, dict(sample))), strict=True))

    return run


def _make_other_sizes(request: ExportRequest) -> Iterable[Tensors]:
    """Random samples at other sizes, all pictures alike."""
    from builder.quality.parity import draw_sample

    for seed, factors in enumerate(OTHER_SIZES):
        specs = []
        for spec in request.model.inputs:
            shape = spec.shape
            if spec in request.pictures:
                sizes = (max(int(n * f) // STEP, 1) * STEP for n, f in zip(shape[2:], factors, strict=True))
                shape = (*shape[:2], *sizes)
            specs.append(spec.model_copy(update={"shape": shape}))
        yield draw_sample(specs, seed)
