"""Sampling a volume at computed places (bilateral grids, video) as reads of single values, weighed: no backend has an operator for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.grid_sampling import sample
from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    functions = {"aten.grid_sampler.default": _volumes, "aten.grid_sampler_3d.default": _volumes}
    return replace_calls(program, functions, only=lambda node: node.args[0].meta["val"].ndim == 5)


def _volumes(x: Tensor, grid: Tensor, mode: int, outside: int, corners: bool) -> Any:
    return sample(x, grid, mode, outside, corners) if x.ndim == 5 else NotImplemented
