"""The rewrite `transposed_convolution` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import KERNEL, SCALE, check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.conv_transpose2d(x, KERNEL, stride=2, padding=1, output_padding=1),
        lambda x: F.conv_transpose2d(x, KERNEL, SCALE, padding=1),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("transposed_convolution", function)
