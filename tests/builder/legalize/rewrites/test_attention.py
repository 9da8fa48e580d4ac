"""The rewrite `attention` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


def put_rows_first(x: Tensor) -> Tensor:
    """As nn.MultiheadAttention does: where the operator left its rows outermost, the view needs no copy."""
    return x.permute(2, 0, 1, 3).contiguous().view(20, 24).view(1, 6, 10, 8)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.scaled_dot_product_attention(x, x, x).transpose(1, 2).reshape(1, 10, 48).view(1, 6, 10, 8),
        lambda x: x @ (x.transpose(2, 3) @ x),
        lambda x: put_rows_first(F.scaled_dot_product_attention(*[x.reshape(10, 2, 3, 8).permute(1, 2, 0, 3)] * 3)),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("attention", function, gone=("dot_product", "aten.matmul"))
