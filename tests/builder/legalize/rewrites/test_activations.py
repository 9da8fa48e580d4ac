"""The rewrite `activations` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        F.hardsigmoid,
        F.elu,
        F.selu,
        F.mish,
        lambda x: F.softplus(9 * x, 2),
        lambda x: x.abs() ** 0.5,
        lambda x: x**3,
        lambda x: (x * x + 1) ** -0.5,
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("activations", function, gone=("aten.elu", "hardsigmoid", "aten.pow"))
