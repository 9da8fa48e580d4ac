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
        lambda x: x.unfold(2, 5, 5).unfold(3, 3, 3).mean((4, 5)),
        lambda x: x.unfold(-1, 3, 1).amax(-1) + x.unfold(3, 4, 2).mean((3, 4), keepdim=True)[..., 0],
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("unfolding", function, gone=("im2col", "col2im", "aten.unfold."))
