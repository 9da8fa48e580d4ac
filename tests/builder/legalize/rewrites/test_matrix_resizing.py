"""The rewrite `matrix_resizing` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.interpolate(F.interpolate(x, scale_factor=2, mode="bicubic"), scale_factor=0.5, mode="bicubic"),
        lambda x: F.interpolate(x, (7, 19), mode="bicubic", align_corners=True),
        lambda x: F.interpolate(x, (7, 5), mode="bicubic", antialias=True),
        lambda x: F.interpolate(x, scale_factor=0.6, mode="bilinear", antialias=True),
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("matrix_resizing", function, gone=("upsample",))
