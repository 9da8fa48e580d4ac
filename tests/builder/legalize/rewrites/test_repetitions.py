"""The rewrite `repetitions` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, :3].repeat(1, 2, 1, 1) + x[:, :, :1].repeat(1, 1, 10, 1),
        lambda x: torch.tile(x[:, :, ::2, ::2], (2, 2)) + x[0, :, :1, :1].repeat(1, 1, 10, 8),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("repetitions", function, gone=("aten.repeat", "aten.tile"))
