"""Programs with quantizers in one form: the same outputs, names that plans know, and refusals that say what to train with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from builder.errors import SourceError
from builder.graph.equality import compute_outputs
from builder.precision.layers import list_layers
from builder.precision.quantizers import find_activation_grids, know_operators, without_quantizers
from builder.sources.quantized import unify_quantizers

pytestmark = pytest.mark.filterwarnings("ignore")


class Written(nn.Module):
    """One layer between quantizers that are written out; `kind`, `low` and `high` are of the activations."""

    def __init__(self, kind: torch.dtype, low: int, high: int, zero: int = 5, *, input_too: bool = True) -> None:
        super().__init__()
        know_operators()
        self.tail = nn.Conv2d(3, 3, 1, bias=False)
        self.register_buffer("steps", torch.full((3,), 0.01))
        self.register_buffer("zeros", torch.zeros(3, dtype=torch.int64))
        self.grid = (0.02, zero, low, high, kind)
        self.input_too = input_too

    def forward(self, x: Tensor) -> Tensor:
        q: Any = torch.ops.quantized_decomposed
        if self.input_too:
            x = q.dequantize_per_tensor(q.quantize_per_tensor(x, *self.grid), *self.grid)
        by_channel = (self.steps, self.zeros, 0, -127, 127, torch.int8)
        weight = q.dequantize_per_channel(q.quantize_per_channel(self.tail.weight, *by_channel), *by_channel)
        return torch.sigmoid(nn.functional.conv2d(x, weight))


def exported(network: nn.Module) -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    return torch.export.export(network.eval(), (torch.rand(1, 3, 8, 8),))


@pytest.mark.parametrize(("kind", "low", "high"), [(torch.uint8, 0, 255), (torch.int8, -128, 127)])
def test_integers_from_0_to_255_are_the_same_steps_moved(kind: torch.dtype, low: int, high: int) -> None:
    """The one form computes what the checkpoint does, with signed integers and the layer's own name."""
    program = exported(Written(kind, low, high))
    made = unify_quantizers(program)
    inputs = (torch.rand(1, 3, 8, 8),)
    assert torch.equal(compute_outputs(program, inputs)[0], compute_outputs(made, inputs)[0])
    assert [(layer.name, layer.trained) for layer in list_layers(made).layers] == [("tail", True)]
    assert [grid.zero_point for grid in find_activation_grids(made)] == [(5 - (128 if kind is torch.uint8 else 0),)]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Written(torch.int8, 0, 127), "from 0 to 127"),
        (Written(torch.int16, -32768, 32767), "of torch.int16"),
        (Written(torch.int8, -128, 127, input_too=False), "an input without a quantizer"),
    ],
)
def test_what_no_runtime_computes_with_is_refused_with_a_cure(network: nn.Module, message: str) -> None:
    """Reduced ranges, 16 bits, and weights alone: the message says what to train with."""
    with pytest.raises(SourceError, match=f"{message}.*XNNPACKQuantizer"):
        unify_quantizers(exported(network))


def test_without_its_quantizers_a_network_is_the_one_before_rounding() -> None:
    """And one that has none is returned as it is."""
    program = unify_quantizers(exported(Written(torch.int8, -128, 127)))
    floats = without_quantizers(program)
    assert without_quantizers(floats) is floats
    (rounded,), (plain,) = (compute_outputs(p, (torch.rand(1, 3, 8, 8),)) for p in (program, floats))
    assert not torch.equal(rounded, plain)
