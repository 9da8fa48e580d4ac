"""Linear layers over four and more axes as those of a matrix: TFLite's converter gives their product a wrong number of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("litert",)
# Axes that the converter takes.
_MOST = 3


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(
        program, {"aten.linear.default": _linear}, only=lambda node: node.args[0].meta["val"].ndim > _MOST
    )


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    from torch.nn.functional import linear

    if x.ndim <= _MOST:
        return NotImplemented
    return linear(x.reshape(-1, x.shape[-1]), weight, bias).reshape(*x.shape[:-1], weight.shape[0])
