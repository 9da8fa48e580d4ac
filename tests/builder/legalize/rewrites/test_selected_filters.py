"""The rewrite `selected_filters` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite

BANK = torch.randn(3, 6, 6, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("function", [lambda x: F.conv2d(x, BANK[(x.sum() * 0).long()], padding=1, stride=1)])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("selected_filters", function)
