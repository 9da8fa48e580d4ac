"""The rewrite `reflection_padding` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function", [lambda x: F.pad(x, (3, 1, 0, 2), "reflect"), lambda x: F.pad(x, (7, 7, 7, 7), "reflect")]
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("reflection_padding", function, gone=("aten.pad",))
