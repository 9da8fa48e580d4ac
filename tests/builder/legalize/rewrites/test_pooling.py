"""The rewrite `pooling` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        lambda x: F.avg_pool2d(x, 4, 3, 2, ceil_mode=True, divisor_override=5),
        lambda x: F.adaptive_max_pool2d(x, 1),
        lambda x: F.adaptive_max_pool2d(x, (3, 5)),
        lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
        lambda x: F.adaptive_avg_pool2d(x, (5, 4)),
        lambda x: x - x.max(1, keepdim=True)[0] + x.min(3, keepdim=True).values,
        lambda x: F.max_pool1d(x.flatten(2), 3, 2, 1)[:, :, :, None],
        lambda x: F.avg_pool1d(x.flatten(2), 4)[:, :, :, None] + F.adaptive_avg_pool1d(x.flatten(2), 20)[..., None],
        lambda x: F.max_pool3d(x[:, None], 2).squeeze(1).repeat(1, 2, 1, 1),
        lambda x: F.adaptive_max_pool1d(x.flatten(2), 1)[..., None] + F.adaptive_max_pool1d(x.flatten(2), 7)[..., None],
        lambda x: F.adaptive_max_pool3d(x[:, None], (6, 3, 3))[0] + F.adaptive_avg_pool3d(x[:, None], (6, 1, 1))[0],
        lambda x: F.avg_pool2d(x, 2, 2, divisor_override=3),
        lambda x: F.max_pool2d(x[:, :, :9, :7], 2, 2, 1, ceil_mode=True),
        lambda x: F.max_pool2d(x[:, :, :9, :7], (2, 3), 2, 1, ceil_mode=True),
        lambda x: F.max_pool3d(x[:, None], 3, 2, 1, ceil_mode=True).squeeze(1).repeat(1, 2, 1, 1)[:, :6],
        lambda x: F.avg_pool3d(x[:, None], 3, 2, 1, True, False).squeeze(1).repeat(1, 2, 1, 1)[:, :6],
        lambda x: F.avg_pool3d(x[:, None], 2, 2, divisor_override=5).squeeze(1).repeat(1, 2, 1, 1),
        lambda x: F.avg_pool3d(x[:, None], (3, 2, 2), (1, 2, 2)).squeeze(1).repeat(1, 2, 1, 1)[:, :6],
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("pooling", function, gone=("adaptive_max", "max.dim", "min.dim", "pool1d", "pool3d"))
