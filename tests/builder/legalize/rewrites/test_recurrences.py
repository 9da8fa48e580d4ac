"""The rewrite `recurrences` on the forms that it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor, nn

from tests.builder.legalize.cases import check_rewrite

SEQUENCES = (
    nn.GRU(6, 6),
    nn.GRU(6, 3, num_layers=2, bidirectional=True, bias=False),
    nn.LSTM(6, 6, num_layers=2, batch_first=True),
    nn.LSTM(6, 3, bidirectional=True),
)


@pytest.mark.parametrize(
    "function",
    tuple(
        lambda x, layer=layer: (
            x[..., 0].transpose(1, 2)[..., None]
            + layer(x[..., 0].transpose(1, 2))[0].unsqueeze(3)
            + sum(state.sum() for state in (layer(x[..., 1].transpose(1, 2))[1],) if not isinstance(state, tuple))
        ).transpose(1, 2)
        for layer in SEQUENCES
    ),
)
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("recurrences", function, gone=("gru", "lstm"))
