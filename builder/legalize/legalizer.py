"""Applies the rewrites that a delegate needs to a user's own model, and proves each one equal on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import VerificationError
from builder.legalize.rewriting import Rewrite

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """One rewrite that changed the program: how many places, and the largest change of an output relative to its range."""

    name: str
    places: int
    error: float
    bound: float


def legalize(
    program: ExportedProgram,
    names: Sequence[str],
    rewrites: Mapping[str, Rewrite],
    *,
    samples: Sequence[Inputs] = (),
) -> tuple[ExportedProgram, tuple[Applied, ...]]:
    """The program after these rewrites in order, and what they did.

    After each one all outputs on a random input and on `samples` are compared with those before it.
    Raises VerificationError for a rewrite that moves an output more than its bound.
    """
    samples = [random_inputs(program, samples), *samples]
    before: list[list[Tensor]] = []
    applied = []
    for name in names:
        rewrite = rewrites[name]
        rewritten, places = rewrite.apply(program, samples)
        if not places:
            continue
        before = before or [outputs_of(program, inputs) for inputs in samples]
        after = [outputs_of(rewritten, inputs) for inputs in samples]
        error = max(largest_change(old, new) for old, new in zip(before, after, strict=True))
        if not error <= rewrite.BOUND:
            raise VerificationError(
                f"the rewrite {name!r} moves an output of this model by {error:.2g} of its range, more than its bound of "
                f'{rewrite.BOUND:g}; switch it off in builder.toml: [legalize] off = ["{name}"].'
            )
        applied.append(Applied(name=name, places=places, error=float(f"{error:.1e}"), bound=rewrite.BOUND))
        program, before = rewritten, after
    return program, tuple(applied)


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
