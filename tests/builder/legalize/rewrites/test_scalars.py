"""The rewrite `scalars` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x + 2) / 3,
        lambda x: x / x.mean(1, keepdim=True).expand_as(x),
        lambda x: torch.rsub(x, torch.sigmoid(x), alpha=0.3) + torch.rsub(x, x * x),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("scalars", function, gone=("aten.expand", "rsub.Tensor"))
