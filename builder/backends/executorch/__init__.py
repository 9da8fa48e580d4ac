"""ExecuTorch: lowered to XNNPACK from the exported program, run in ExecuTorch's own runtime, read back from the .pte itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.executorch.spec import SPEC as SPEC
from builder.errors import InputError

if TYPE_CHECKING:
    from builder.backends.base import Execution, FloatFile, HalfLimits, Lowered, Need, Runner, Seen, StoredLayer
    from builder.backends.executorch.ops import WeightedOp
    from builder.backends.options import Options
    from builder.bundle import Binding, Coverage
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.precision.layers import Layer, LayerTable
    from builder.precision.plan import ResolvedPlan
    from builder.precision.quantizers import Integers
    from builder.precision.ranges import Observation
    from builder.precision.scheme import Scheme


def load_options_kind() -> type[Options]:
    """It has no keys of its own in [[variant]]."""
    from builder.backends.options import Options

    return Options


def describe_float_file() -> FloatFile | None:
    """Every plan is converted by itself."""
    return None


def describe_half_limits() -> HalfLimits | None:
    """A rewrite looks after it."""
    return None


def warm() -> None:
    """The converter, and the example graphs that XNNPACK's passes export in every process: they are looked for in each program."""
    import torch
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # noqa: F401
    from executorch.exir import to_edge_transform_and_lower  # noqa: F401
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e  # noqa: F401

    with torch.random.fork_rng(devices=[]):
        bilinear_2d.get_graphs_dict()
        sdpa.get_graphs()


def find_unsupported(layer: Layer, scheme: Scheme, delegate: str) -> str | None:
    """Why the scheme cannot be realised on the layer and what can be done instead, or None."""
    from builder.backends.executorch import schemes
    from builder.precision.as_trained import without_integers

    _require_known(delegate)
    if (reason := without_integers(layer, scheme)) is not None:
        return reason
    return schemes.find_unsupported(layer, scheme)


def elsewhere(plan: ResolvedPlan, layers: LayerTable) -> str:
    """fp16 where the plan gives nothing but fp16."""
    from builder.backends.executorch.schemes import is_all_in_half

    return "fp16" if is_all_in_half(plan) else "fp32"


def observe(model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
    """Inputs and outputs of all layers, by name of the program's nodes. Raises ConversionError without samples."""
    from builder.precision.activations import observe_program

    return observe_program(model.program, [spec.name for spec in model.inputs], samples)


def lower(
    model: Model, plan: ResolvedPlan, delegate: str, seen: Seen, out: Path, options: Options | None = None
) -> Lowered:
    """Write the artifact to `out`. Equal inputs give equal bytes. Raises ConversionError."""
    from builder.backends.executorch.convert import convert

    _require_known(delegate)
    content, lowered = convert(model, plan, seen)
    out.write_bytes(content)
    return lowered


def read_back(path: Path, model: Model) -> dict[str, str]:
    """Realised scheme of every layer, from the file alone. Raises VerificationError for a layer that is not found."""
    from builder.backends.executorch.match import find_layers
    from builder.backends.executorch.schemes import agree_on_scheme
    from builder.precision.as_trained import mark_as_trained

    ops_of = find_layers(_ops(path), model)
    schemes = {layer: agree_on_scheme(op.scheme for op in ops) for layer, ops in ops_of.items()}
    wanted = model.integers()
    return mark_as_trained(schemes, wanted, read_integers(path, model).__getitem__) if wanted else schemes


def read_integers(path: Path, model: Model) -> dict[str, list[Integers | None]]:
    """What the calls of every layer compute with; None for floats on one side."""
    from builder.backends.executorch.match import find_layers
    from builder.backends.executorch.trained import read_op_integers

    return {layer: [read_op_integers(op) for op in ops] for layer, ops in find_layers(_ops(path), model).items()}


def read_norms(path: Path, model: Model) -> dict[str, str]:
    """What the nodes of every norm compute in, from XNNPACK's payload."""
    from builder.backends.executorch.norms import read_realised_norms
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.xnnpack import read_graphs

    program = load(path)
    return read_realised_norms(program, read_graphs(program), model)


def read_between(path: Path) -> str:
    """Floats: nothing here makes them anything else."""
    return "float"


def find_structure(path: Path) -> str | None:
    """Kernels are chosen inside XNNPACK's payload, which holds the values too."""
    return None


def read_stored_layers(path: Path) -> tuple[StoredLayer, ...]:
    """Every op with weights in order of execution, from the file alone."""
    from builder.backends.base import StoredLayer

    return tuple(
        StoredLayer(
            name=op.name, op=op.kind, scheme=op.scheme, weight_shape=op.weight.shape, weight_bytes=op.weight.bytes
        )
        for op in _ops(path)
    )


def coverage(path: Path, delegate: str) -> Coverage:
    """What the delegate takes, from the file: lowering has already decided it."""
    from builder.backends.executorch.delegation import describe_xnnpack_coverage
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.xnnpack import read_graphs

    _require_known(delegate)
    program = load(path)
    return describe_xnnpack_coverage(program, read_graphs(program))


def predict_coverage(path: Path, delegate: str) -> tuple[Coverage, ...]:
    """The Vulkan delegate's."""
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.vulkan import predict_vulkan_coverage
    from builder.backends.executorch.xnnpack import read_graphs

    _require_known(delegate)
    program = load(path)
    return (predict_vulkan_coverage(program, read_graphs(program)),)


def runner(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
    """Load the artifact in the ExecuTorch runtime."""
    from builder.backends.executorch.runtime import ExecuTorchRunner

    return ExecuTorchRunner(path, inputs, outputs, threads)


def execution(delegate: str) -> Execution:
    """The ExecuTorch runtime of this machine."""
    from builder.backends.base import Execution

    _require_known(delegate)
    return Execution(runtime=describe_runtime(), open=partial(runner, threads=os.cpu_count() or 1))


def describe_runtime() -> str:
    """What `runner` executes with."""
    from builder.backends.executorch import runtime

    return runtime.describe_runtime()


def needs() -> tuple[Need, ...]:
    """Nothing beside the packages."""
    return ()


def read_minimum_runtime(path: Path) -> str:
    """What the file states: the version of the program's schema, and of XNNPACK's payload where there is one."""
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.xnnpack import read_payload_formats

    program = load(path)
    formats = read_payload_formats(program)
    return f"ExecuTorch program schema {program.version}" + (
        f" with XNNPACK payload {', '.join(formats)}" if formats else ""
    )


def predict_peak_memory(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
    """See `memory.py` for the formula."""
    from builder.backends.executorch.memory import predict_peak
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.xnnpack import read_graphs

    program = load(path)
    return predict_peak(path.stat().st_size, program, read_graphs(program))


def _ops(path: Path) -> tuple[WeightedOp, ...]:
    from builder.backends.executorch.ops import find_weighted_ops
    from builder.backends.executorch.pte import load
    from builder.backends.executorch.xnnpack import read_graphs

    program = load(path)
    return find_weighted_ops(program, read_graphs(program))


def _require_known(delegate: str) -> None:
    if delegate not in SPEC.delegate_names:
        raise InputError(f"ExecuTorch has no delegate {delegate!r} here; use one of: {', '.join(SPEC.delegate_names)}.")
