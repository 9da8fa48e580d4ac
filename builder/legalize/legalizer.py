"""Applies the rewrites that a delegate needs to a user's own model, and proves each one equal on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import VerificationError
from builder.graph.equality import largest_change, outputs_of, random_inputs
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
