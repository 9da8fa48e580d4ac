"""The rewrite `sorting` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.round(decimals=1).sort(1).values - x.sort(3, descending=True).values,
        lambda x: x - x.median(1, keepdim=True).values - x[:, :5].median(1).values[:, None],
        lambda x: F.unfold(x, 3, padding=1).view(1, 6, 9, 80).median(2).values.view(1, 6, 10, 8),
        lambda x: x - x.flatten(2).median(2).values[:, :, None, None],
        lambda x: x - x.flatten(2)[0].sort(1, descending=True).values.view(1, 6, 10, 8),
        lambda x: x - x.kthvalue(2, 1, keepdim=True).values - x.kthvalue(9, 2).values[:, :, None],
        lambda x: x - x.flatten(2).kthvalue(3, 2).values[:, :, None, None],
        lambda x: x - x.median(),
        lambda x: x - x.quantile(0.3, 1, keepdim=True) + x.flatten(2).quantile(0.97, 2)[:, :, None, None],
        lambda x: x * x.quantile(0.5),
        lambda x: x * x.reshape(6, 80).topk(5).values.mean(),
        lambda x: x.topk(2, 1, largest=False).values.repeat(1, 3, 1, 1),
        lambda x: x.topk(1, 2, largest=False).indices * x,
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("sorting", function, gone=("sort", "median", "kthvalue", "quantile"))
