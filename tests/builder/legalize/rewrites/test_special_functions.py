"""The rewrite `special_functions` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.builder.legalize.cases import check_rewrite


@pytest.mark.parametrize(
    "function",
    [
        torch.erfc,
        lambda x: torch.hypot(x, x.flip(1)),
        lambda x: F.cosine_similarity(x, x.flip(1), dim=1)[:, None] * x,
        lambda x: F.cosine_similarity(x.flatten(2), x.flip(2).flatten(2), dim=-1, eps=1e-3)[:, :, None, None] * x,
        F.logsigmoid,
        F.rrelu,
        lambda x: torch.fmax(x, x.flip(2)) - torch.fmin(x / (x * 0), x.flip(3)),
        lambda x: x.sigmoid().prod(1, keepdim=True) * x + x.prod(-1)[..., None],
        lambda x: x.round(decimals=1) + (x * 100).round(decimals=-1),
        lambda x: torch.nan_to_num(x / x.relu(), nan=0.5, posinf=2.0, neginf=-3.0),
        lambda x: torch.logaddexp(x, x.flip(1)),
    ],
)
def test_it_computes_the_same_by_other_functions(function: Callable[[Tensor], Tensor]) -> None:
    """Of pictures and of rows."""
    check_rewrite(
        "special_functions",
        function,
        gone=(
            "erfc",
            "hypot",
            "cosine",
            "log_sigmoid",
            "logaddexp",
            "nan_to_num",
            "prod",
            "rrelu",
            "fmax",
            "fmin",
            "decimals",
        ),
    )
