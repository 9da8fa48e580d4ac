"""The rewrite `checks` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize("function", [lambda x: x * F.one_hot((x[:, :1] > 0.5).long(), 2)[..., 0]])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("checks", function, gone=("_assert",))
