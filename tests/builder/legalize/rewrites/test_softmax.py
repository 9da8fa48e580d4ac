"""The rewrite `softmax` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function", [lambda x: x.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2), lambda x: x.softmax(1) * x.softmax(3)]
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("softmax", function)
