"""The rewrite `reductions` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean(1, keepdim=True),
        lambda x: x - x.mean((1, 2, 3), keepdim=True),
        lambda x: x + x.flatten(2).mean(2)[:, :, None, None],
        lambda x: x * x.sum(3, keepdim=True).sum(2, keepdim=True),
        lambda x: x / x.var((2, 3), keepdim=True),
        lambda x: x * x.flatten(2).std(2, unbiased=False)[:, :, None, None],
        lambda x: F.normalize(x, dim=1),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("reductions", function, gone=("aten.sum", "aten.var", "vector_norm"))
