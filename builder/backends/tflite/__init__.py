"""TFLite: litert-torch to fp32, ai-edge-quantizer for the plan, LiteRT to run, and the flatbuffer itself to read back.

Reading back, running and coverage import neither torch's converters nor the quantizer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.tflite.delegates import DELEGATES
from builder.backends.tflite.spec import SPEC as SPEC
from builder.errors import InputError

if TYPE_CHECKING:
    from builder.backends.base import Execution, FloatFile, HalfLimits, Lowered, Need, Runner, Seen, StoredLayer
    from builder.backends.options import Options
    from builder.backends.tflite.delegates.base import FileDelegate
    from builder.backends.tflite.options import TfliteOptions
    from builder.bundle import Binding, Coverage
    from builder.graph.model import Model
    from builder.graph.tensors import Tensors
    from builder.precision.layers import Layer, LayerTable
    from builder.precision.plan import ResolvedPlan
    from builder.precision.quantizers import Integers
    from builder.precision.ranges import Observation
    from builder.precision.scheme import Scheme


def load_options_kind() -> type[Options]:
    """The keys that TFLite alone has in [[variant]]."""
    from builder.backends.tflite.options import TfliteOptions

    return TfliteOptions


def describe_float_file() -> FloatFile | None:
    """All plans of a source start from one fp32 file."""
    from builder.backends.tflite import floats

    return floats


def describe_half_limits() -> HalfLimits | None:
    """The GPU's is looked after by a rewrite."""
    return None


def warm() -> None:
    """The converter; what quantizes and runs its files is there already."""
    import litert_torch  # noqa: F401


def find_unsupported(layer: Layer, scheme: Scheme, delegate: str) -> str | None:
    """Why the scheme cannot be realised on the layer and what can be done instead, or None."""
    from builder.backends.tflite import schemes
    from builder.precision.as_trained import without_integers

    _find_delegate(delegate)
    if (reason := without_integers(layer, scheme)) is not None:
        return reason
    if scheme.mode == "trained" and delegate != "xnnpack":
        return f'only XNNPACK computes with the integers of a checkpoint; make {layer.name!r} a variant with delegate = "xnnpack".'
    return schemes.find_unsupported(layer, scheme)


def elsewhere(plan: ResolvedPlan, layers: LayerTable) -> str:
    """fp32, where it is not integers: fp16 layers are stored so and computed in fp32 too."""
    return "fp32"


def observe(model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
    """Every activation of the fp32 file, by tensor name. Raises ConversionError without samples."""
    from builder.backends.tflite.activations import observe_file
    from builder.backends.tflite.convert import to_float_file

    float_file, lowered = to_float_file(model)
    return observe_file(float_file, lowered, samples)


def lower(
    model: Model,
    plan: ResolvedPlan,
    delegate: str,
    seen: Seen,
    out: Path,
    options: TfliteOptions | None = None,
) -> Lowered:
    """Write the artifact to `out`. Equal inputs give equal bytes. Raises ConversionError."""
    from builder.backends.tflite.convert import to_float_file
    from builder.backends.tflite.trained import to_trained_file

    _find_delegate(delegate)
    if plan.as_trained:
        content, lowered = to_trained_file(model)
        out.write_bytes(content)
        return lowered
    float_file, lowered = to_float_file(model) if options is None else to_float_file(model, options.route)
    out.write_bytes(realise_for(delegate, float_file, model, plan, seen))
    return lowered


def realise_for(delegate: str, float_file: bytes, model: Model, plan: ResolvedPlan, seen: Seen) -> bytes:
    """The fp32 file with the plan, in the form that the delegate takes. Raises ConversionError."""
    from builder.backends.tflite.realise import realise

    return _find_delegate(delegate).form(realise(float_file, model, plan, seen))


def read_back(path: Path, model: Model) -> dict[str, str]:
    """Realised scheme of every layer, from the file alone. Raises VerificationError for a layer that is not found."""
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph
    from builder.backends.tflite.match import find_layers
    from builder.backends.tflite.schemes import name_scheme
    from builder.precision.as_trained import mark_as_trained

    graph = read_graph(load_model(path))
    uses_of = find_layers(graph, model)
    schemes = {layer: name_scheme(graph, uses) for layer, uses in uses_of.items()}
    wanted = model.integers()
    return mark_as_trained(schemes, wanted, read_integers(path, model).__getitem__) if wanted else schemes


def read_integers(path: Path, model: Model) -> dict[str, list[Integers | None]]:
    """What the calls of every layer compute with; None for floats on one side."""
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph
    from builder.backends.tflite.match import find_layers
    from builder.backends.tflite.trained import read_op_integers

    graph = read_graph(load_model(path))
    return {layer: [read_op_integers(graph, use) for use in uses] for layer, uses in find_layers(graph, model).items()}


def read_norms(path: Path, model: Model) -> dict[str, str]:
    """What all operations compute in that are no layers, norms among them: one for each norm, since none has another."""
    from builder.backends.tflite import schemes
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph

    return dict.fromkeys(
        (norm.name for norm in model.layers.norms), schemes.name_elsewhere(read_graph(load_model(path)))
    )


def read_between(path: Path) -> str:
    """Whether the operations that are no layers compute in 8-bit integers where they have them."""
    from builder.backends.tflite import schemes
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph

    return schemes.name_between(read_graph(load_model(path)))


def find_structure(path: Path) -> str | None:
    """Files that differ only in the values of weights and scales share one."""
    from builder.backends.tflite.structure import hash_structure

    return hash_structure(path)


def read_stored_layers(path: Path) -> tuple[StoredLayer, ...]:
    """Every op with weights as it stands in the file, without its source model."""
    from builder.backends.tflite import schemes
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph
    from builder.backends.tflite.match import list_uses

    graph = read_graph(load_model(path))
    return schemes.list_stored_layers(graph, list_uses(graph))


def coverage(path: Path, delegate: str) -> Coverage:
    """What the delegate takes, as the runtime on this machine decides it. Raises VerificationError for a file that would end the app."""
    return _find_delegate(delegate).coverage(path)


def predict_coverage(path: Path, delegate: str) -> tuple[Coverage, ...]:
    """That of the other delegates whose operator support is published."""
    others = (other.predict_coverage(path) for name, other in DELEGATES.items() if name != delegate)
    return tuple(found for found in others if found is not None)


def runner(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
    """Load the artifact in LiteRT."""
    from builder.backends.tflite.runtime import LiteRtRunner

    return LiteRtRunner(path, inputs, outputs, threads)


def execution(delegate: str) -> Execution:
    """The delegate itself where this machine can, else LiteRT on the CPU with the reason."""
    from builder.backends.base import Execution

    on_cpu = Execution(runtime=describe_runtime(), open=partial(runner, threads=os.cpu_count() or 1))
    return _find_delegate(delegate).execution(on_cpu)


def needs() -> tuple[Need, ...]:
    """What the delegates can use on this machine to be executed."""
    return tuple(need for delegate in DELEGATES.values() for need in delegate.needs())


def describe_runtime() -> str:
    """What `runner` executes with."""
    from builder.backends.tflite import runtime

    return runtime.describe_runtime()


def read_minimum_runtime(path: Path) -> str:
    """The oldest TFLite runtime that knows all ops of the file in their versions, as its metadata states it."""
    from builder.backends.tflite.flatbuffer import load_model, read_runtime_version

    return f"TFLite {read_runtime_version(load_model(path)) or 'unknown'}"


def predict_peak_memory(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
    """The file's bytes plus the largest set of activations alive at once, without delegates."""
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph
    from builder.backends.tflite.memory import measure_largest_live_set

    return path.stat().st_size + measure_largest_live_set(read_graph(load_model(path)))


def _find_delegate(delegate: str) -> FileDelegate:
    if delegate not in DELEGATES:
        raise InputError(f"TFLite has no delegate {delegate!r} here; use one of: {', '.join(DELEGATES)}.")
    return DELEGATES[delegate]
