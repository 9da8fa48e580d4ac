"""The rewrite `mutations` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


def written(x: Tensor, where: tuple[object, ...]) -> Tensor:
    """A fresh tensor, part of which is written from another."""
    y = torch.full_like(x, 0.5)
    y[where] = x[where] * 2
    y[:, 0, :2] = 0
    return y


@pytest.mark.parametrize(
    "function",
    [
        lambda x: written(x, (slice(None), slice(None), slice(0, None, 2))),
        lambda x: written(x, (slice(None), slice(None), slice(1, 9, 3))),
        lambda x: written(x, (slice(None), slice(None), slice(0, None, 4))),
        lambda x: written(x, (slice(None), 2)),
        lambda x: written(x, (slice(None), slice(None), slice(2, 5), slice(None, None, 2))),
        lambda x: x.clone().mul_(2).clamp_(0, 1),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("mutations", function, gone=("scatter", "copy", "fill", "mul_", "clamp_"))
