"""Instance norm as mean, difference, mean of squares, reciprocal root: all of it stays in one subgraph of the delegate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.statistics import average_space, scale
from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack", "gpu")
CURES = {"_native_batch_norm_legit": ("instance_norm", "leave 'instance_norm' on in [legalize]")}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.instance_norm.default": _instance_norm})


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    use_input: bool,
    *_: Any,
) -> Any:
    """Ulyanov, Vedaldi & Lempitsky 2017: every channel of every picture by its own mean and variance."""
    import torch

    eps = float(_[1])
    if x.ndim != 4 or not use_input:
        return NotImplemented
    centred = x - average_space(x)
    y = centred * torch.rsqrt(average_space(centred * centred) + eps)
    return scale(y, weight, bias, (1, -1, 1, 1))
