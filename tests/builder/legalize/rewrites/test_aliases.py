"""The rewrite `aliases` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.subtract(torch.multiply(x, 2), torch.clip(x, 0.1, 0.9)),
        lambda x: torch.ops.aten.upsample_nearest2d.default(x, [17, 11]),
        lambda x: torch.ops.aten.upsample_bilinear2d.default(x, [17, 11], True),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("aliases", function, gone=("subtract", "multiply", "clip", "nearest2d.default", "bilinear2d.default"))
