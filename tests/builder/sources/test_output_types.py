"""A file gives each output as the manifest says, whatever the network ends in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from builder.bundle import TensorSpec
from builder.sources.output_types import cast_outputs


class Ends(nn.Module):
    """A picture, and what `last` makes of a convolution of it."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 3, 1), last

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return image, self.last(self.conv(image))


def spec(name: str, dtype: str) -> TensorSpec:
    return TensorSpec(name=name, kind="tensor", shape=(1, 3, 8, 8), dtype=dtype, range=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "declared"),
    [
        (lambda x: (x * 100).round().to(torch.uint8), "float32"),
        (lambda x: x.to(torch.int8), "int32"),
        (lambda x: x > 0, "float32"),
        (lambda x: x.double(), "float32"),
        (lambda x: (x * 9).long(), "int32"),
    ],
)
def test_an_output_has_the_declared_type_and_its_values(last: Callable[[Tensor], Tensor], declared: str) -> None:
    """The others stay as they are."""
    network, image = Ends(last), torch.rand(1, 3, 8, 8)
    before = torch.export.export(network, (image,))
    was = before.module()(image)
    cast = cast_outputs(before, (spec("image", "float32"), spec("out", declared)))
    cast.graph.lint()
    now = cast.module()(image)
    assert [str(value.dtype) for value in now] == ["torch.float32", f"torch.{declared}"]
    assert torch.equal(now[0], was[0])
    assert torch.equal(now[1], was[1].to(now[1].dtype))


def test_a_network_of_the_declared_types_is_left_as_it_is() -> None:
    """Not a node is added."""
    program = torch.export.export(Ends(torch.relu), (torch.rand(1, 3, 8, 8),))
    nodes = len(program.graph.nodes)
    assert len(cast_outputs(program, (spec("image", "float32"), spec("out", "float32"))).graph.nodes) == nodes
