"""Artifacts that take and give pictures themselves, as runners of logical tensors like all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.bundle import Binding, TensorSpec
from builder.bundle.tensors import make_pixels, make_tensor

if TYPE_CHECKING:
    from builder.backends.base import Runner
    from builder.graph.tensors import Tensors


def make_logical(
    runner: Runner,
    takes: Sequence[Binding],
    gives: Sequence[Binding],
    specs: Sequence[TensorSpec],
) -> Runner:
    """The runner with the borders of layout `image` (8-bit RGB pixels) as the logical tensors of `specs`, inputs and outputs."""
    by_name = {spec.name: spec for spec in specs}
    given = {binding.name: by_name[binding.name] for binding in takes if binding.layout == "image"}
    taken = {binding.name: by_name[binding.name] for binding in gives if binding.layout == "image"}

    def run(inputs: Tensors) -> Tensors:
        pixels: Tensors = {name: make_pixels(inputs[name], spec) for name, spec in given.items()}
        results = runner({**inputs, **pixels})
        tensors: Tensors = {name: make_tensor(results[name], spec) for name, spec in taken.items()}  # type: ignore[arg-type]
        return {**results, **tensors}

    if not given and not taken:
        return runner
    return run
