"""The rewrite `products` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.builder.legalize.cases import Weighted, check_rewrite

GRU = nn.GRUCell(6, 6)


@pytest.mark.parametrize(
    "function",
    [
        Weighted(lambda x, w: (x.transpose(1, 3) @ w).transpose(1, 3)),
        Weighted(lambda x, w: (w @ x.flatten(2)).reshape(x.shape)),
        Weighted(lambda x, w: torch.einsum("oc,bchw->bohw", w, x)),
        Weighted(lambda x, w: torch.einsum("bchw,cd->bhwd", x, w).permute(0, 3, 1, 2)),
        lambda x: x + GRU(x[:, :, 0, 0], x[:, :, 1, 1])[:, :, None, None],
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("products", function, gone=("matmul", "einsum", "gru_cell"))
