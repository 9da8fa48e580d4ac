"""A part of a network may have any name that its own module takes, the names of torch's graph modules included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from builder.legalize.at_source import make_plain
from builder.precision.layers import list_layers
from builder.sources.names import rename_clashes

pytestmark = pytest.mark.filterwarnings("ignore")


class Named(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.part = name
        self.add_module(name, nn.Conv2d(4, 3, 1))
        self.register_buffer("meta_", torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        part: Any = self._modules[self.part]
        return part(torch.relu(self.first(x))) + self.meta_


@pytest.mark.parametrize("name", ["code", "graph", "recompile", "meta", "print_readable"])
def test_a_part_named_as_an_attribute_of_graph_modules_converts(name: str) -> None:
    """Its name in tables has a '_' more; it computes the same."""
    torch.manual_seed(0)
    network = Named(name).eval()
    sample = torch.rand(1, 3, 8, 8)
    program = make_plain(rename_clashes(torch.export.export(network, (sample,))))
    own = f"{name}__" if name == "meta" else f"{name}_"  # 'meta_' is a buffer here
    assert list_layers(program).names() == ["first", own]
    torch.testing.assert_close(program.module()(sample), network(sample))


def test_other_programs_stay_as_they_are() -> None:
    """Nothing is copied where no name clashes."""
    program = torch.export.export(Named("book").eval(), (torch.rand(1, 3, 8, 8),))
    assert rename_clashes(program) is program
