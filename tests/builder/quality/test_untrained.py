"""A checkpoint of zeros is no network, although a residual one then gives back its picture and no output is constant."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from builder.errors import SourceError
from builder.quality.untrained import look_for_zeros
from tests.builder.models import export, make_image_spec


def residual(*zeros: int) -> nn.Module:
    """Three convolutions beside the picture; these of them have only zeros."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)))
            for number in zeros:
                nn.init.zeros_(self.convs[number].weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.convs(x)

    return Residual()


def test_a_network_of_zeros_is_refused() -> None:
    """Its output is the picture: no measure of the output finds it."""
    with pytest.raises(SourceError, match="all weights of the model are zero: its checkpoint was saved before"):
        look_for_zeros(export(residual(0, 1, 2), (make_image_spec("x"),), (make_image_spec("y"),)))


def test_some_layers_of_zeros_are_named_in_a_warning() -> None:
    """A gate that starts at zero is usual; the rest is trained."""
    assert look_for_zeros(export(residual(2), (make_image_spec("x"),), (make_image_spec("y"),))) == (
        "1 of 3 layers have nothing but zeros for weights and give their bias alone: 'convs.2'",
    )
    assert look_for_zeros(export(residual(), (make_image_spec("x"),), (make_image_spec("y"),))) == ()
