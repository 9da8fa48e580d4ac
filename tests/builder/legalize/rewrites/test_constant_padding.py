"""The rewrite `constant_padding` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pad(x.view(-1, 10, 1, 8, 1, 1), [0, 0, 0, 1, 0, 0, 0, 1]).view(1, -1, 20, 16)[:, :, ::2, ::2],
        lambda x: F.pad(x[None], (1, 2, 3, 0, 0, 0, 0, 0, 1, 0), value=0.5)[1, :, :, :10, :8],
        lambda x: F.pad(F.pad(x, (2, 2, 2, 2), mode="reflect"), (-2, -2, -2, -2)),
        lambda x: F.pad(F.pad(x, (-1, 3, 0, -4), value=0.25), (-1, -1, 4, 0))[:, :, :, :7].repeat(1, 1, 1, 2)[
            :, :, :, :8
        ],
        lambda x: F.pad(x, (-1, 1, -2, 2), mode="reflect"),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("constant_padding", function)
