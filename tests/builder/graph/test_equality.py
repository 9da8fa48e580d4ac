"""What two programs are compared on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from builder.graph.equality import make_random_inputs


def test_random_inputs_stay_in_the_range_of_real_ones() -> None:
    """Noise as bright as the pictures, and indices that are valid."""

    class Two(nn.Module):
        def forward(self, x: Tensor, index: Tensor) -> Tensor:
            return x + index

    like = (torch.rand(1, 3, 4, 4) * 2 - 1, torch.tensor([2]))
    program = torch.export.export(Two(), like)
    noise, index = make_random_inputs(program, [like])
    assert like[0].min() <= noise.min() < 0 < noise.max() <= like[0].max()
    assert torch.equal(index, like[1])
