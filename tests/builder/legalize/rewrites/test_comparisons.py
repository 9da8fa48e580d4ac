"""The rewrite `comparisons` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite

BOUNDS = torch.tensor([-0.3, 0.0, 0.1, 0.4])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.bucketize(x, BOUNDS).float() + x,
        lambda x: torch.bucketize(x.round(decimals=1), BOUNDS, right=True, out_int32=True).float() + x,
        lambda x: torch.searchsorted(BOUNDS, x.round(decimals=1), side="right").float() + x,
        lambda x: F.one_hot(x.argmax(1), 6).permute(0, 3, 1, 2).float() * x,
        lambda x: torch.heaviside(x.relu(), torch.tensor(0.25)) * x,
    ],
)
def test_it_computes_the_same_by_comparing(function: Callable[[Tensor], Tensor]) -> None:
    """With values on a boundary too."""
    check_rewrite("comparisons", function, gone=("bucketize", "searchsorted", "one_hot", "heaviside"))
