"""The rewrite `nearest_rows` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function", [lambda x: F.interpolate(x, scale_factor=2.0), lambda x: F.interpolate(x, size=(10, 24))]
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("nearest_rows", function, gone=("upsample",))
