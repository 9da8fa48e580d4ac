"""The rewrite `unpooling` on the forms that it takes, and on one that it leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builder.legalize import REWRITES
from tests.builder.legalize.cases import PICTURE, check_rewrite, export


def unpooled(x: Tensor) -> Tensor:
    """As SegNet, with ties from a ReLU, other values than those that were pooled, and a size that is no multiple."""
    y, places = F.max_pool2d(torch.relu(x), 2, return_indices=True)
    z, deeper = F.max_pool2d(y * 2, 3, 3, return_indices=True)
    return F.max_unpool2d(F.max_unpool2d(z - 1, deeper, 3, 3, output_size=(5, 4)), places, 2, 2)


@pytest.mark.parametrize("function", [unpooled])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("unpooling", function, gone=("unpool", "with_indices"))


def test_windows_that_overlap_stay() -> None:
    """Whoever converts them names the operator."""

    def overlapping(x: Tensor) -> Tensor:
        values, places = F.max_pool2d(x, 3, 2, 1, return_indices=True)
        return F.max_unpool2d(values, places, 3, 2, 1, (10, 8))

    program = export(overlapping)
    assert REWRITES["unpooling"].apply(program, [(torch.rand(PICTURE),)]) == (program, 0)
