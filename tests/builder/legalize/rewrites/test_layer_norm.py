"""The rewrite `layer_norm` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import SCALE, check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.layer_norm(x, (8,), SCALE.new_ones(8), SCALE.new_zeros(8)),
        lambda x: F.layer_norm(x, (6, 10, 8)),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("layer_norm", function, gone=("layer_norm",))
