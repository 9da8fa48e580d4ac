"""The rewrite `nearest_indices` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.interpolate(F.interpolate(x, (19, 13)), (7, 9)),
        lambda x: F.interpolate(x, (10, 13)),
        lambda x: F.interpolate(x, scale_factor=(1.3, 0.7)),
        lambda x: F.interpolate(x, (7, 19), mode="nearest-exact"),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("nearest_indices", function, gone=("upsample",))
