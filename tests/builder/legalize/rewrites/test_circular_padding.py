"""The rewrite `circular_padding` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pad(x, (1, 2, 3, 0), mode="circular")[:, :, 3:, 1:-2],
        lambda x: F.pad(x, (4, 4, 0, 0), mode="circular")[:, :, :, 4:-4],
        lambda x: F.pad(x[:, :, 0], (2, 0), mode="circular")[:, :, None, 2:] + x,
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("circular_padding", function, gone=("aten.pad", "_pad_circular"))
