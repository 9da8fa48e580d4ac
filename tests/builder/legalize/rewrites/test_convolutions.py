"""The rewrite `convolutions` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import KERNEL, SCALE, check_rewrite

VOLUME = torch.randn(2, 1, 3, 3, 3, generator=torch.Generator().manual_seed(4))

TURNED = torch.randn(4, 3, 3, 3, 3, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.conv1d(x.flatten(2), KERNEL[:, :, 0], SCALE, 2, 1)[..., None],
        lambda x: F.conv1d(x.flatten(2), KERNEL[:, :3, 0], None, 1, "same", 2, 2)[..., None],
        lambda x: F.conv_transpose1d(x.flatten(2), KERNEL[:, :, 0], SCALE, 2, 1, 1)[..., None],
        lambda x: F.conv3d(x[:, None], VOLUME, SCALE[:2], 1, 1).mean(1).repeat(1, 1, 1, 1),
        lambda x: F.conv3d(x[:, None], VOLUME, None, (2, 1, 2), (0, 1, 2), (2, 1, 1)).flatten(1, 2).repeat(1, 3, 1, 1),
        lambda x: F.conv3d(x[:, None], VOLUME, padding="same").mean(1),
        lambda x: F.conv_transpose3d(x.reshape(1, 4, 3, 5, 8), TURNED[:, :, :2], None, 2).flatten(1, 2)[:, :6],
        lambda x: F.conv_transpose3d(
            x.reshape(1, 4, 3, 5, 8), TURNED, SCALE, (2, 1, 2), 1, (1, 0, 1), 2, (2, 1, 1)
        ).flatten(1, 2)[:, :6],
    ],
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("convolutions", function, gone=("conv1d", "conv3d", "transpose1d", "transpose3d"))
