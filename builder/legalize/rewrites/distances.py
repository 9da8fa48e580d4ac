"""`cdist`, the distances of all rows of one matrix from all of another, which Core ML's converter does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("mil",)
# Up to which torch itself takes differences (the default `compute_mode`).
_FEW_ROWS = 25


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.cdist.default": _distances})


def _distances(first: Tensor, second: Tensor, p: float = 2.0, compute_mode: int | None = None) -> Any:
    """|a - b|, or the root of |a|^2 + |b|^2 - 2 a b; 1 asks for the second form, 2 for the first."""
    if p != 2.0:
        return NotImplemented
    few = first.shape[-2] <= _FEW_ROWS and second.shape[-2] <= _FEW_ROWS
    if compute_mode == 2 or (few and compute_mode != 1):
        return (first.unsqueeze(-2) - second.unsqueeze(-3)).square().sum(-1).sqrt()
    lengths = first.square().sum(-1, keepdim=True) + second.square().sum(-1).unsqueeze(-2)
    return (lengths - 2.0 * (first @ second.transpose(-2, -1))).clamp(min=0.0).sqrt()
