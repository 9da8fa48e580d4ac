"""The rewrite `unfolding` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.fold(F.unfold(x, 3, padding=1), (10, 8), 3, padding=1),
        lambda x: F.fold(F.unfold(x, (4, 3), stride=(2, 1)), (10, 8), (4, 3), stride=(2, 1)),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("unfolding", function, gone=("im2col", "col2im"))
