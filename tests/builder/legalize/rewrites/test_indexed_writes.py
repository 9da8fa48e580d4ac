"""The rewrite `indexed_writes` on the forms that it takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from builder.legalize import REWRITES
from tests.builder.legalize.cases import check_rewrite, export


def write(index: Callable[[Tensor], object], value: Callable[[Tensor], Tensor | float]) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        y = x.clone()
        y[index(x)] = value(x)  # type: ignore[index]
        return y

    return function


@pytest.mark.parametrize(
    "function",
    [
        write(lambda x: (slice(None), [0, 3]), lambda x: 0.5),
        write(lambda x: (slice(None), [4, 1, -1]), lambda x: x[:, :3] * 2),
        write(lambda x: (slice(None), slice(None), [2, 5]), lambda x: x[:, :, :1]),
        write(lambda x: (..., torch.tensor([7, 0])), lambda x: x[0, 0, 0, :2]),
        write(lambda x: x < 0.1, lambda x: 0.0),
        write(lambda x: (slice(None), torch.tensor([True, False, True, False, False, True])), lambda x: -1.0),
        lambda x: x.index_copy(1, torch.tensor([2, 5]), x[:, :2]),
        lambda x: torch.zeros_like(x).index_add(1, torch.tensor([0, 1, 1, 2, 3, 3]), x),
        lambda x: x.index_add(-2, torch.tensor([9, 0]), x[:, :, :2], alpha=0.5),
    ],
)
def test_it_computes_the_same_by_a_choice(function: Callable[[Tensor], Tensor]) -> None:
    """Channels, rows and columns by their places, and masks, with one value or with values of their own."""
    check_rewrite("indexed_writes", function, gone=("index_put", "index_copy", "index_add"))


def test_what_adds_up_or_writes_to_crossed_places_stays() -> None:
    """The sums of `index_put` with `accumulate`, and places on two axes at once."""

    def function(x: Tensor) -> Tensor:
        y = x.index_put((torch.tensor([0]), torch.tensor([1, 1])), x[0, 0], accumulate=True)
        y[:, [0, 1], [2, 3]] = 0.5
        return y

    program = export(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert REWRITES["indexed_writes"].apply(program, [(torch.rand(1, 6, 10, 8),)]) == (program, 0)
