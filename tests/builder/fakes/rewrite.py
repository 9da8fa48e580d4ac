"""A sigmoid of other operators, for fake delegates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("fake",)
CURES = {"sigmoid": ("sigmoid", "leave 'fake' on in [legalize]")}


def apply(program: ExportedProgram, samples: Sequence[tuple[Tensor, ...]]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.sigmoid.default": _without})


def _without(x: Tensor) -> Any:
    return (x.neg().exp() + 1).reciprocal()
