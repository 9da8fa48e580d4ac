"""The rewrite `constant_folding` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor

from tests.builder.legalize.cases import SCALE, check_rewrite


@pytest.mark.parametrize("function", [lambda x: x * (SCALE.exp() + 1).view(1, 6, 1, 1)])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("constant_folding", function, gone=("aten.exp",))
