"""The rewrite `linear_rows` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import Weighted, check_rewrite


@pytest.mark.parametrize("function", [Weighted(lambda x, w: F.linear(x.transpose(1, 3), w.T).transpose(1, 3))])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("linear_rows", function)
