"""The rewrite `half_precision` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import KERNEL, check_rewrite


@pytest.mark.parametrize("function", [lambda x: F.conv2d((x * 0).half(), KERNEL.half()).float() + x[:, :, 1:-1, 1:-1]])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("half_precision", function)
