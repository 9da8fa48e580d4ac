"""The rewrite `expansions` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.cat([x[:, :1].expand(-1, 3, -1, -1), x[:, 3:]], 1),
        lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 7, 5),
        lambda x: x[0, 0].expand(1, 6, -1, -1),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("expansions", function, gone=("aten.expand",))
