"""Convolutions as pairs: exact where they are one, least squares on the layer's own inputs elsewhere, and ends that stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from builder.compression.prune import count_macs, count_parameters
from builder.compression.separable import Patches, fit_pair, require, separate
from builder.errors import ConversionError, VerificationError
from builder.graph.equality import compute_outputs
from builder.precision.layers import list_layers

pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):
    """Stride, dilation and asymmetric padding between an input and an output layer; one layer has groups."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.wide = nn.Conv2d(12, 12, (5, 3), padding=(4, 2), dilation=2, bias=False)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=3)
        self.point = nn.Conv2d(12, 12, 1)
        self.tail = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.wide(torch.relu(self.down(torch.relu(self.head(x))))))
        return torch.sigmoid(self.tail(self.point(torch.relu(self.grouped(x)))))


def program(network: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(network.eval(), (torch.rand(1, 3, 32, 32),))


def batches() -> list[Tensor]:
    return [torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(n)) for n in range(4)]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_a_convolution_that_is_a_pair_already_becomes_that_pair() -> None:
    """Weights of one kernel a channel and a matrix: the outputs stay equal, with fewer weights; biases too."""
    network = Net()
    with torch.no_grad():
        for layer in (network.down, network.wide):
            kernels = torch.randn(1, layer.in_channels, *layer.kernel_size)
            layer.weight.copy_(torch.randn(layer.out_channels, layer.in_channels, 1, 1) * kernels * 0.3)
    before = program(network)
    made = separate(before, batches(), None)
    assert set(made.replaced) == {"down", "wide"}
    assert max(made.replaced.values()) < 1e-4
    inputs = (torch.rand(1, 3, 32, 32),)
    (one,), (other,) = compute_outputs(before, inputs), compute_outputs(made.program, inputs)
    assert torch.allclose(one, other, atol=1e-4)
    names = list_layers(made.program).names()
    assert names == [
        "head",
        "down.depthwise",
        "down.pointwise",
        "wide.depthwise",
        "wide.pointwise",
        "grouped",
        "point",
        "tail",
    ]
    assert count_parameters(made.program) < count_parameters(before)
    assert count_macs(list_layers(made.program)) < count_macs(list_layers(before))
    assert made.stayed == {
        "head": "it is next to an input of the network",
        "grouped": "it has groups",
        "point": "a pair would have as many multiply-accumulates",
        "tail": "it is next to an output of the network",
    }


def test_least_squares_on_the_layers_inputs_beats_the_best_filters_alone() -> None:
    """On inputs whose channels and pixels are alike the pair misses less than the rank-1 filters do, and what it says it misses."""
    weight, bias = torch.randn(16, 8, 3, 3).double(), torch.randn(16).double()
    rows = torch.randn(4000, 12).double() @ torch.randn(12, 72).double() + 1.0
    seen = Patches()
    seen.add(rows)
    pair = fit_pair(weight, bias, seen)
    want = rows @ weight.reshape(16, 72).T + bias

    def missed(flat: Tensor, offset: Tensor) -> float:
        got = rows @ flat.T + offset
        return float((got - want).square().sum() / (want - want.mean(0)).square().sum())

    made = (pair.pointwise.reshape(16, 8, 1).double() * pair.depthwise.reshape(1, 8, 9).double()).reshape(16, 72)
    u, s, v = torch.linalg.svd(weight.reshape(16, 8, 9).transpose(0, 1), full_matrices=False)
    rank_one = (u[:, :, :1] * s[:, :1, None] @ v[:, :1]).transpose(0, 1).reshape(16, 72)
    shift = (weight.reshape(16, 72) - rank_one) @ rows.mean(0)
    assert pair.missed == pytest.approx(missed(made, pair.bias.double()), rel=0.02)
    assert pair.missed < 0.5 * missed(rank_one, bias + shift)


def test_a_budget_takes_the_least_harmed_first_and_no_more() -> None:
    """One of two is enough here; a budget that pairs cannot meet names what else there is."""
    before = program(Net())
    most = count_parameters(before)
    made = separate(before, batches(), lambda size, work: size < most)
    assert len(made.replaced) == 1
    assert "the budget holds without it" in made.stayed.values()
    with pytest.raises(VerificationError, match=r"cannot be met by 'separable' alone.*add 'prune'"):
        require(made.program, lambda size, work: size < 10)
    with pytest.raises(ConversionError, match="the budget holds already"):
        separate(before, batches(), lambda size, work: True)


def test_a_network_where_nothing_pays_is_an_error_that_says_why() -> None:
    """Two layers, both at an end."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
    with pytest.raises(ConversionError, match=r"next to an input.*remove 'separable'"):
        separate(program(network), batches(), None)
