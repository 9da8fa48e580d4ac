"""`atan2` by one arc tangent and the signs of both: Core ML's converter gives 0 for pi on the negative axis, and no number at the origin.

A spectrum of a real picture has values on that axis: those that are their own mirror image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("mil",)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.atan2.default": _angle, "aten.arctan2.default": _angle})


def _angle(y: Tensor, x: Tensor) -> Any:
    """Half a turn is added left of the origin, with the sign of `y`; above and below it the angle is a quarter turn."""
    import torch

    if not (x.is_floating_point() and y.is_floating_point()):
        return NotImplemented
    on_axis, left = (x == 0).to(x.dtype), (x < 0).to(x.dtype)
    side = (y >= 0).to(x.dtype) * 2 - 1
    beside = torch.atan(y / (x + on_axis)) + left * side * math.pi
    return beside * (1 - on_axis) + torch.sign(y) * on_axis * (math.pi / 2)
