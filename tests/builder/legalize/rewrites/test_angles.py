"""The rewrite `angles` on the forms that it takes, all around and where axes are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.atan2(x - x.mean(), x.flip(1) - x.mean()),
        lambda x: (
            torch.arctan2(x.relu().sign(), -x.abs())
            + torch.atan2(x, x.abs() * 0)
            + torch.atan2(x.abs() * 0, x.abs() * 0)
        ),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("angles", function, gone=("atan2", "arctan2"))
