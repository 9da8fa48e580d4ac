"""The rewrite `grid_sampling` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    tuple(
        lambda x, o=o: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 3, **o)
        for o in (
            {"align_corners": False},
            {"padding_mode": "border", "align_corners": True},
            {"padding_mode": "reflection", "align_corners": False},
        )
    ),
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("grid_sampling", function, gone=("grid_sampler",))
