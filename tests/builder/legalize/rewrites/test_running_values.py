"""The rewrite `running_values` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sigmoid().cumprod(2),
        lambda x: x.cummax(1).values - x.cummin(-1).values,
        lambda x: x.logcumsumexp(3) - x,
    ],
)
def test_it_computes_the_same_step_by_step(function: Callable[[Tensor], Tensor]) -> None:
    """Along channels, rows and columns."""
    check_rewrite("running_values", function, gone=("cumprod", "cummax", "cummin", "logcumsumexp"))
