"""The rewrite `autocast` on the forms that it takes."""

from __future__ import annotations

import pytest
from torch import Tensor, autocast

from tests.builder.legalize.cases import check_rewrite

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, of a GPU that is not there


def disabled(x: Tensor) -> Tensor:
    with autocast("cpu", enabled=False):
        y = x.sigmoid() @ x.sigmoid().transpose(-1, -2)
    return y * 2


def of_another_device(x: Tensor) -> Tensor:
    with autocast("cuda"):
        y = x.sigmoid() @ x.sigmoid().transpose(-1, -2)
    return y * 2


def test_a_block_is_what_it_computes() -> None:
    """Whether it is switched off or of a GPU."""
    for function in (disabled, of_another_device):
        check_rewrite("autocast", function, gone=("wrap_with_autocast",))
