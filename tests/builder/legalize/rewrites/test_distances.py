"""The rewrite `distances` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.cdist(x, x.flip(2) + 1)[..., :8],
        lambda x: x * torch.cdist(x.flatten(2).transpose(1, 2), x[0, :, 0].T + 3).mean(),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("distances", function, gone=("cdist",))
