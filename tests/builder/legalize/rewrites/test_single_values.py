"""The rewrite `single_values` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean((1, 2, 3), keepdim=True),
        lambda x: x.amax() - x,
        lambda x: torch.add(x, x.mean((1, 2, 3), keepdim=True), alpha=0.5),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("single_values", function)
