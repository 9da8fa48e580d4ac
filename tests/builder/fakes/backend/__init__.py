"""A backend whose files hold the program's calls as JSON and the weights as arrays; torch executes them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends.fake.spec import SPEC as SPEC

if TYPE_CHECKING:
    from builder.backends.fake.options import FakeOptions

    from builder.backends.base import Execution, FloatFile, HalfLimits, Lowered, Need, Runner, Seen, StoredLayer
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
    from builder.backends.fake.options import FakeOptions

    return FakeOptions


def describe_float_file() -> FloatFile | None:
    return None


def describe_half_limits() -> HalfLimits | None:
    return None


def warm() -> None:
    import torch  # noqa: F401


def elsewhere(plan: ResolvedPlan, layers: LayerTable) -> str:
    return "fp32"


def find_unsupported(layer: Layer, scheme: Scheme, delegate: str) -> str | None:
    if scheme.name in SPEC.schemes:
        return None
    return f"Fake has no {scheme.name}; use weight_only_wi8_afp32 on {layer.name!r}."


def observe(model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
    return {}


def lower(
    model: Model, plan: ResolvedPlan, delegate: str, seen: Seen, out: Path, options: FakeOptions | None = None
) -> Lowered:
    from builder.backends.fake import file

    from builder.backends.base import Lowered
    from builder.bundle import Binding

    file.write(model, plan, out, "plain" if options is None else options.flavour)

    def bound(specs: tuple[object, ...]) -> tuple[Binding, ...]:
        return tuple(
            Binding(name=spec.name, index=number, layout="NCHW", shape=spec.shape)  # type: ignore[attr-defined]
            for number, spec in enumerate(specs)
        )

    return Lowered(inputs=bound(model.inputs), outputs=bound(model.outputs))


def read_back(path: Path, model: Model) -> dict[str, str]:
    from builder.backends.fake import file

    return {layer.name: layer.scheme for layer in file.layers(path)}


def read_integers(path: Path, model: Model) -> dict[str, list[Integers | None]]:
    return {}


def read_norms(path: Path, model: Model) -> dict[str, str]:
    return dict.fromkeys((norm.name for norm in model.layers.norms), "fp32")


def read_between(path: Path) -> str:
    return "float"


def find_structure(path: Path) -> str | None:
    return None


def read_stored_layers(path: Path) -> tuple[StoredLayer, ...]:
    from builder.backends.fake import file

    return file.layers(path)


def coverage(path: Path, delegate: str) -> Coverage:
    """It takes everything but sigmoids."""
    from builder.backends.fake import file

    from builder.bundle import Coverage

    ops = file.operators(path)
    left = tuple(f"aten::{op}" for op in ops if op.startswith("sigmoid"))
    taken = len(ops) - len(left)
    return Coverage(delegate=delegate, source="file", delegated_ops=taken, total_ops=len(ops), subgraphs=1, left=left)


def predict_coverage(path: Path, delegate: str) -> tuple[Coverage, ...]:
    return ()


def runner(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
    from builder.backends.fake import file

    return partial(file.run, path, inputs, outputs)


def execution(delegate: str) -> Execution:
    from builder.backends.base import Execution

    return Execution(runtime=describe_runtime(), open=partial(runner, threads=1), unproven="there is no fake phone")


def needs() -> tuple[Need, ...]:
    from builder.backends.base import Need

    return (Need(delegate="slow", name="a fake phone", version=None, install="buy a fake phone"),)


def describe_runtime() -> str:
    return "Fake 1.0"


def read_minimum_runtime(path: Path) -> str:
    return "Fake 1"


def predict_peak_memory(path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
    return path.stat().st_size
