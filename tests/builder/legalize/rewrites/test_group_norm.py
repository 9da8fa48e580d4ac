"""The rewrite `group_norm` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import SCALE, check_rewrite


@pytest.mark.parametrize("function", tuple(lambda x, g=g: F.group_norm(x, g, SCALE, SCALE - 1) for g in (1, 2, 3, 6)))
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("group_norm", function, gone=("group_norm",))
