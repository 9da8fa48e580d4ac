"""The rewrite `volume_sampling` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite

VOLUME_GRID = torch.rand(1, 3, 10, 8, 3, generator=torch.Generator().manual_seed(5)) * 2.4 - 1.2


@pytest.mark.parametrize(
    "function", [lambda x: F.grid_sample(x[:, None], VOLUME_GRID, align_corners=True).mean(1).repeat(1, 2, 1, 1)]
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("volume_sampling", function, gone=("grid_",))
