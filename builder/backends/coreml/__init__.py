"""Core ML: coremltools to an ML program, its weight compression for the plan, and the saved program itself to read back.

Core ML runs on macOS and iOS only. Elsewhere the saved program is executed by `interpreter.py`, and reports say so.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from builder.backends.coreml.spec import SPEC as SPEC
from builder.errors import InputError

if TYPE_CHECKING:
    from builder.backends.base import Execution, FloatFile, HalfLimits, Lowered, Need, Runner, Seen, StoredLayer
    from builder.backends.coreml.options import CoreMLOptions, Io
    from builder.backends.options import Options
    from builder.bundle import Binding, Coverage, TensorSpec
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.precision.layers import Layer, LayerTable
    from builder.precision.plan import ResolvedPlan
    from builder.precision.quantizers import Integers
    from builder.precision.ranges import Observation
    from builder.precision.scheme import Scheme

# Weights below stay inside the program, where coremltools compresses none (should_use_weight_file).
_SMALLEST_COMPRESSED = 10


def load_options_kind() -> type[Options]:
    """The keys that Core ML alone has in [[variant]]."""
    from builder.backends.coreml.options import CoreMLOptions

    return CoreMLOptions


def describe_float_file() -> FloatFile | None:
    """Every plan is converted by itself."""
    return None


def describe_half_limits() -> HalfLimits | None:
    """Layers whose values are too large for fp16 get fp32 before a phone shows a black picture."""
    from builder.backends.coreml import half_range

    return half_range


def warm() -> None:
    """The converter, which also reads back what is run."""
    from builder.backends.coreml.program import import_coremltools

    import_coremltools()


def find_unsupported(layer: Layer, scheme: Scheme, delegate: str) -> str | None:
    """Why the scheme cannot be realised on the layer and what can be done instead, or None.

    Quantized activations need Core ML's own prediction to calibrate, which only macOS has.
    """
    from builder.precision.as_trained import without_integers

    _require_known(delegate)
    if (reason := without_integers(layer, scheme)) is not None:
        return reason
    if scheme.mode in ("float", "trained"):
        return None
    if scheme.mode in ("dynamic", "static"):
        return f"Core ML files made here have no quantized activations ({scheme.name}); use weight_only_wi8_afp32, palettized_w8 or fp16 on {layer.name!r}."
    if math.prod(layer.weight_shape) < _SMALLEST_COMPRESSED:
        return (
            f"Core ML stores fewer than {_SMALLEST_COMPRESSED} weights as they are; use fp16 or fp32 on {layer.name!r}."
        )
    if scheme.block and (
        layer.op == "conv_transpose2d" or layer.weight_shape[1] <= scheme.block or layer.weight_shape[1] % scheme.block
    ):
        return (
            f"{scheme.name} needs several blocks of {scheme.block} input channels, and {layer.name!r} ({layer.op}) has "
            f"weights of {'x'.join(map(str, layer.weight_shape))}; use weight_only_wi4_afp32 or palettized_w4 there."
        )
    return None


def elsewhere(plan: ResolvedPlan, layers: LayerTable) -> str:
    """fp16 where all layers compute in fp16; variances stay in fp32 all the same."""
    from builder.backends.coreml.compute import is_all_in_fp16

    return "fp16" if is_all_in_fp16(plan.scheme(name) for name in layers.names()) else "fp32"


def observe(model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
    """Inputs and outputs of all layers, by name of the program's nodes. Raises ConversionError without samples."""
    from builder.precision.activations import observe_program

    return observe_program(model.program, [spec.name for spec in model.inputs], samples)


def lower(
    model: Model,
    plan: ResolvedPlan,
    delegate: str,
    seen: Seen,
    out: Path,
    options: CoreMLOptions | None = None,
) -> Lowered:
    """Write the .mlpackage. Equal inputs give equal bytes.

    With `io = "images"` pictures go in and come out as 8-bit pixels, which the file scales itself. `deployment_target` is the oldest
    system that must load it, `iOS17`; without one the oldest that can. Raises ConversionError, and ConfigError for a system that is
    too old.
    """
    from builder.backends.base import Lowered
    from builder.backends.coreml.check import check_package
    from builder.backends.coreml.convert import to_mlpackage
    from builder.backends.coreml.options import CoreMLOptions

    _require_known(delegate)
    asked = options or CoreMLOptions()
    to_mlpackage(model, plan, out, io=asked.io, deployment_target=asked.deployment_target)
    lowered = Lowered(inputs=_bindings(model.inputs, asked.io), outputs=_bindings(model.outputs, asked.io))
    check_package(out, lowered.inputs, lowered.outputs, (*model.inputs, *model.outputs))
    return lowered


def _bindings(specs: tuple[TensorSpec, ...], io: Io) -> tuple[Binding, ...]:
    from builder.bundle import Binding

    picture: Literal["image", "NCHW"] = "image" if io == "images" else "NCHW"
    return tuple(
        Binding(
            name=spec.name,
            index=index,
            layout=picture if spec.kind == "image" else "plain",
            shape=spec.shape,
            dtype="int32" if spec.dtype == "int64" else spec.dtype,  # Core ML has no 64-bit integers at its borders
        )
        for index, spec in enumerate(specs)
    )


def read_back(path: Path, model: Model) -> dict[str, str]:
    """Realised scheme of every layer, from the saved program. Raises VerificationError for a layer that is not found."""
    from builder.backends.coreml.realise import read_realised

    return read_realised(path, model)


def read_integers(path: Path, model: Model) -> dict[str, list[Integers | None]]:
    """What the ops of every layer compute with; None for floats on one side."""
    from builder.backends.coreml.realise import read_integers

    return read_integers(path, model)


def read_norms(path: Path, model: Model) -> dict[str, str]:
    """What the ops of every norm compute in, those of its variance left out, which stay in fp32 in any file."""
    from builder.backends.coreml.realise import read_realised_norms

    return read_realised_norms(path, model)


def read_between(path: Path) -> str:
    """Floats: nothing here makes them anything else."""
    return "float"


def find_structure(path: Path) -> str | None:
    """What Core ML executes is decided on the phone."""
    return None


def read_stored_layers(path: Path) -> tuple[StoredLayer, ...]:
    """Every op with weights, as the saved program holds it."""
    from builder.backends.coreml.realise import list_stored_layers

    return list_stored_layers(path)


def coverage(path: Path, delegate: str) -> Coverage:
    """Core ML runs every op of an ML program on some unit; which one, only a device can tell (MLComputePlan): 'predicted'.

    For `cpu_and_ne` what the neural engine takes, from what is published of it.
    """
    from builder.backends.coreml.neural_engine import predict_engine_coverage
    from builder.backends.coreml.program import computing_ops, load_program
    from builder.bundle import Coverage

    _require_known(delegate)
    if delegate == "cpu_and_ne":
        return predict_engine_coverage(path, delegate)
    ops = len(computing_ops(load_program(path)))
    return Coverage(delegate=delegate, source="predicted", delegated_ops=ops, total_ops=ops, subgraphs=1)


def predict_coverage(path: Path, delegate: str) -> tuple[Coverage, ...]:
    """The neural engine's, for a file that may run anywhere or is kept from it."""
    from builder.backends.coreml.neural_engine import predict_engine_coverage

    return () if delegate == "cpu_and_ne" else (predict_engine_coverage(path, "cpu_and_ne"),)


def runner(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
    """Core ML itself on macOS, the interpreter elsewhere."""
    from builder.backends.coreml.runtime import CoreMLRunner, InterpreterRunner

    if sys.platform == "darwin":
        return CoreMLRunner(path, inputs, outputs)
    return InterpreterRunner(path, inputs, outputs, threads)


def execution(delegate: str) -> Execution:
    """Core ML itself on macOS; the interpreter proves the numbers of the saved program, not what Core ML makes of it."""
    from builder.backends.base import Execution

    _require_known(delegate)
    why = (
        None if sys.platform == "darwin" else "Core ML runs on Apple's systems alone: the saved program was interpreted"
    )
    return Execution(runtime=describe_runtime(), open=partial(runner, threads=os.cpu_count() or 1), unproven=why)


def describe_runtime() -> str:
    """Which of the two `runner` uses."""
    import platform

    if sys.platform == "darwin":
        return f"Core ML (macOS {platform.mac_ver()[0]})"
    return "MIL interpreter of edgebundle (Core ML itself runs on macOS only)"


def needs() -> tuple[Need, ...]:
    """Nothing that could be added: Core ML runs on Apple's systems alone."""
    return ()


def read_minimum_runtime(path: Path) -> str:
    """The oldest iOS that loads the file, from its specification version."""
    from builder.backends.coreml.program import read_minimum_ios

    return read_minimum_ios(path)


def predict_peak_memory(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
    """The package's bytes plus the largest set of activations alive at once."""
    from builder.backends.coreml.program import load_program, measure_largest_live_set
    from builder.bundle import count_tree_bytes

    return count_tree_bytes(path) + measure_largest_live_set(load_program(path))


def _require_known(delegate: str) -> None:
    if delegate not in SPEC.delegate_names:
        raise InputError(f"Core ML has no delegate {delegate!r} here; use one of: {', '.join(SPEC.delegate_names)}.")
