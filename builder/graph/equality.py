"""Whether two programs compute the same: inputs to try, outputs, the largest change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]


def random_inputs(program: ExportedProgram, like: Sequence[Inputs] = ()) -> Inputs:
    """Uniform noise in the range of the first of `like`, or in 0..1; integers are zero, or those of `like`."""
    import torch

    generator = torch.Generator().manual_seed(0)
    names = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    made: list[Any] = []
    for number, value in enumerate(values):
        shape = tuple(int(size) for size in value.shape)
        known = like[0][number] if like else None
        if not value.is_floating_point():
            made.append(torch.zeros(shape, dtype=value.dtype) if known is None else known)
            continue
        low, high = (0.0, 1.0) if known is None else (float(known.min()), float(known.max()))
        made.append(low + (high - low or 1.0) * torch.rand(shape, generator=generator, dtype=value.dtype))
    return tuple(made)


def outputs_of(program: ExportedProgram, inputs: Inputs) -> list[Tensor]:
    import torch

    with torch.no_grad():
        result = program.module(check_guards=False)(*inputs)
    return list(result) if isinstance(result, tuple | list) else [result]


def largest_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """Largest difference of two results, each output relative to its own range; infinite for another shape or NaN."""
    worst = 0.0
    for first, second in zip(before, after, strict=True):
        if first.shape != second.shape or first.dtype != second.dtype:
            return float("inf")
        span = float(first.max() - first.min()) or 1.0
        change = float((first.double() - second.double()).abs().max()) / span
        worst = max(worst, change if change == change else float("inf"))
    return worst
