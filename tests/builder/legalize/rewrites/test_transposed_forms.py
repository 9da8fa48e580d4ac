"""The rewrite `transposed_forms` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import KERNEL, SCALE, check_rewrite

# Kernel and settings of transposed convolutions that backends do not have.
TRANSPOSED = (
    ((4, 4), {"stride": 2, "padding": 1, "groups": 2}),
    ((4, 4), {"stride": 2, "groups": 6}),
    ((5, 3), {"padding": (2, 1)}),
    ((3, 3), {"stride": 3, "dilation": 2, "padding": 1}),
    ((1, 1), {"stride": 2, "output_padding": 1}),
    ((3, 2), {"stride": 2, "padding": (1, 0), "output_padding": (1, 1)}),
    ((3, 3), {"stride": 1, "padding": 3, "dilation": 2}),
    ((3, 3), {"stride": 4, "padding": 1, "output_padding": 3}),
)


@pytest.mark.parametrize(
    "function",
    tuple(
        lambda x, k=k, o=o: F.conv_transpose2d(
            x, KERNEL.repeat(1, 1, 2, 2)[:, : 6 // o.get("groups", 1), : k[0], : k[1]], SCALE, **o
        )
        for k, o in TRANSPOSED
    ),
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("transposed_forms", function, gone=("conv_transpose",))
