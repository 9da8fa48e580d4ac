"""The source model as one variant's delegate wants it: the rewrites it needs, each proven on the model's own data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import Legalization
from builder.errors import ConfigError
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.legalize import REWRITES
from builder.legalize.legalizer import legalize
from builder.precision.norms import mark_norms
from builder.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

# Evaluation samples besides the random input: each rewrite costs one run of the network on each.
PROVEN_ON = 2


def check_rewrites(key: str, names: Sequence[str]) -> None:
    """Raises ConfigError for an unknown name under this key of [legalize]."""
    for name in names:
        if name not in REWRITES:
            raise ConfigError(f"[legalize] {key} names an unknown rewrite {name!r}{did_you_mean(name, REWRITES)}")


def find_needed(traits: Collection[str]) -> tuple[str, ...]:
    """Names of the rewrites for a delegate with these traits, in the order in which they are made."""
    return tuple(name for name, rewrite in REWRITES.items() if not set(traits).isdisjoint(rewrite.NEEDED_BY))


def choose(traits: Collection[str], off: Sequence[str]) -> tuple[str, ...]:
    """Those for a delegate without those switched off. Raises ConfigError for an unknown name."""
    check_rewrites("off", off)
    return tuple(name for name in find_needed(traits) if name not in off)


def collect_cures() -> dict[str, tuple[str, str]]:
    """What rewrites say of operators that a delegate left: where they come from, and what would help."""
    return {op: cure for rewrite in REWRITES.values() for op, cure in getattr(rewrite, "CURES", {}).items()}


def mark(model: Model) -> Model:
    """The model with every norm's name on its operators, as rewrites and backends look for it."""
    mark_norms(model.program, model.layers.names())
    return model


def legalize_model(
    model: Model, names: Sequence[str], evaluation: Sequence[Path], required: Sequence[str] = ()
) -> tuple[Model, tuple[Legalization, ...]]:
    """The model with these rewrites made, and what they did. Layers and norms keep their names. Raises VerificationError."""
    model = mark(model)
    samples = [_as_tensors(path, model) for path in evaluation[:PROVEN_ON]]
    program, applied = legalize(model.program, names, REWRITES, samples=samples, required=required)
    rows = tuple(
        Legalization(rewrite=done.name, places=done.places, max_error=done.error, bound=done.bound) for done in applied
    )
    return replace(model, program=program), rows


def _as_tensors(path: Path, model: Model) -> tuple[Tensor, ...]:
    import torch

    sample = read_sample(path, model.inputs)
    return tuple(torch.from_numpy(sample[spec.name]) for spec in model.inputs)
