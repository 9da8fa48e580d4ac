"""Applies the rewrites that a delegate needs to a user's own model, and proves each one equal on it.

A rewrite is refused for being wrong, never because the network is sensitive. What moves an output by more than the rewrite's
bound is decided in float64: there, what is mathematically the same agrees to 1e-10 of the output's range even in networks that
amplify; and in float32 it may move an output by as much as float32 itself does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import ConversionError, VerificationError, find_reason
from builder.graph.equality import (
    compute_outputs,
    compute_outputs_in_double,
    make_random_inputs,
    measure_largest_change,
)
from builder.legalize.rewriting import Rewrite
from builder.precision.quantizers import without_quantizers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]

# Of an output's range, in float64.
EQUAL = 1e-10
# Between two draws of the noise of float32.
SLACK = 4.0


@dataclass(frozen=True, kw_only=True)
class Applied:
    """One rewrite that changed the program: how many places, and the largest change of an output relative to its range.

    `places` is 0 for one that was left out because it is not equal on this network.
    """

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
    required: Collection[str] = (),
) -> tuple[ExportedProgram, tuple[Applied, ...]]:
    """The program after these rewrites in order, and what they did.

    After each one all outputs on a random input and on `samples` are compared with those before it; one that is not equal is
    left out. Raises VerificationError for such a one among `required`, ConversionError for one that fails.
    """
    samples = [make_random_inputs(program, samples), *samples]
    before: list[list[Tensor]] = []
    applied = []
    for name in names:
        rewrite = rewrites[name]
        try:
            rewritten, places = rewrite.apply(program, samples)
        except Exception as raised:  # torch raises what its tracing meets
            raise ConversionError(
                f"the rewrite {name!r} fails on this network ({find_reason(raised)}); please report the model."
            ) from raised
        if not places:
            continue
        # A rewrite is of floats. A quantizer would make a whole step of the last bit that another order of a sum changes.
        old_floats, floats = without_quantizers(program), without_quantizers(rewritten)
        before = before or [compute_outputs(old_floats, inputs) for inputs in samples]
        after = [compute_outputs(floats, inputs) for inputs in samples]
        moved = max(measure_largest_change(old, new) for old, new in zip(before, after, strict=True))
        bound = rewrite.BOUND
        if not moved <= bound:
            bound = measure_allowed_change(old_floats, floats, rewrite, samples, before)
        if moved <= bound:
            applied.append(Applied(name=name, places=places, error=_short(moved), bound=_short(bound)))
            program, before = rewritten, after
            continue
        if name in required:
            raise VerificationError(
                f"the rewrite {name!r} moves an output of this model by {moved:.2g} of its range, more than its bound of "
                f"{bound:.2g}; remove it from [legalize] require in builder.toml."
            )
        applied.append(Applied(name=name, places=0, error=_short(moved), bound=_short(bound)))
    return program, tuple(applied)


def measure_allowed_change(
    program: ExportedProgram,
    rewritten: ExportedProgram,
    rewrite: Rewrite,
    samples: Sequence[Inputs],
    before: Sequence[Sequence[Tensor]],
) -> float:
    """How far this rewrite may move an output in float32: as far as float32 does where float64 shows it equal, else its bound."""
    exact = [compute_outputs_in_double(program, inputs) for inputs in samples]
    noise = max(measure_largest_change(old, now) for old, now in zip(exact, before, strict=True))
    moved = max(
        measure_largest_change(old, compute_outputs_in_double(rewritten, inputs))
        for old, inputs in zip(exact, samples, strict=True)
    )
    # What is computed once, in float32, is computed in float32 by the network as well.
    equal = SLACK * noise if getattr(rewrite, "ROUNDS", False) else EQUAL
    return max(rewrite.BOUND, SLACK * noise) if moved <= equal else rewrite.BOUND


def _short(value: float) -> float:
    return float(f"{value:.1e}")
