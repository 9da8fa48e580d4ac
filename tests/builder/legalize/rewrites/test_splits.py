"""The rewrite `splits` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
        lambda x: torch.cat(torch.split(x, (1, 5), 1)[::-1], 1),
        lambda x: torch.stack(x.unbind(1)[::-1], 1),
        lambda x: torch.roll(x, (3, -1), (2, 3)),
        lambda x: x * x.select(1, -1)[:, None],
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("splits", function, gone=("aten.split", "aten.chunk", "aten.unbind", "aten.select", "aten.roll"))
