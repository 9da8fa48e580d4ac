"""Structured pruning on this field's operators: pruned to a sub-network that is equal, or left with a reason; never a wrong shape."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.compression.channels import find_channels
from builder.compression.prune import count_parameters, prune
from builder.errors import ConversionError, VerificationError
from builder.graph.equality import compute_outputs

pytestmark = pytest.mark.filterwarnings("ignore")


def conv(inputs: int, outputs: int, size: int = 3, **settings: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **settings)  # type: ignore[arg-type]


class Residual(nn.Module):
    """A residual stream, a depthwise layer, and the input added to the output."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.dw, self.pw, self.tail = conv(3, 8), conv(8, 8, groups=8), conv(8, 8, 1), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.head(x))
        y = y + torch.relu(self.pw(self.dw(y)))
        return x + self.tail(y)


class Shuffled(nn.Module):
    """Pixel shuffle inside, and as the output, whose channels stay."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.up, self.mid, self.out = conv(3, 8), conv(8, 32), conv(8, 8), conv(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(functional.pixel_shuffle(self.up(torch.relu(self.head(x))), 2))
        return functional.pixel_shuffle(self.out(torch.relu(self.mid(y))), 2)


class Joined(nn.Module):
    """A concatenation, a transposed convolution, PReLU and instance norms with weights."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.up, self.tail = conv(3, 8), conv(8, 6), nn.ConvTranspose2d(14, 8, 4, 2, 1), conv(8, 3)
        self.norm, self.slope = nn.InstanceNorm2d(8, affine=True), nn.PReLU(6)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.a(x)))
        return torch.sigmoid(self.tail(torch.relu(self.up(torch.cat([y, self.slope(self.b(y))], 1)))))


class Conditional(nn.Module):
    """A norm whose scale and shift a linear layer makes of the picture's own means, through chunk: torch-pruning cuts nothing here."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.gb, self.tail, self.norm = conv(3, 8), nn.Linear(3, 16), conv(8, 3), nn.InstanceNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        g, b = self.gb(x.mean((2, 3))).chunk(2, 1)
        return self.tail(torch.relu(self.norm(self.a(x)) * (1 + g[:, :, None, None]) + b[:, :, None, None]))


class Manual(nn.Module):
    """An instance norm by hand with stored scale and shift."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.tail = conv(3, 8), conv(8, 3)
        self.g, self.b = nn.Parameter(torch.rand(1, 8, 1, 1)), nn.Parameter(torch.rand(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y = (y - y.mean((2, 3), keepdim=True)) * (y.var((2, 3), keepdim=True, unbiased=False) + 1e-5).rsqrt()
        return self.tail(torch.relu(y * self.g + self.b))


class Attention(nn.Module):
    """Attention over pixels, at which torch-pruning never ends: what it reads stays, the rest is pruned."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.q, self.k, self.v = conv(3, 8), conv(8, 4, 1), conv(8, 4, 1), conv(8, 8, 1)
        self.mid, self.tail = conv(8, 8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        n, c, h, w = y.shape
        q, k, v = (part(y).view(n, -1, h * w) for part in (self.q, self.k, self.v))
        y = y + (v @ torch.softmax(q.transpose(1, 2) @ k, -1).transpose(1, 2)).view(n, c, h, w)
        return self.tail(torch.relu(self.mid(y)))


CASES = (Residual, Shuffled, Joined, Conditional, Manual, Attention)
EQUAL = (Residual, Shuffled, Joined, Conditional, Manual)
"""Nets in which a channel that is zero is as good as none."""


def exported(network: nn.Module) -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    return torch.export.export(network.eval(), (torch.rand(1, 3, 16, 16),))


@pytest.mark.parametrize("kind", CASES)
def test_every_structure_is_pruned_to_the_budget_with_its_outputs_in_shape(kind: type[nn.Module]) -> None:
    """Half of the parameters go, the outputs keep their shapes and are finite."""
    torch.manual_seed(1)
    program = exported(kind())
    most = count_parameters(program) * 0.6
    result = prune(program, lambda count, _: count <= most)
    assert count_parameters(result.program) <= most
    assert result.widths
    (before,), (after,) = (compute_outputs(p, (torch.rand(1, 3, 16, 16),)) for p in (program, result.program))
    assert before.shape == after.shape
    assert bool(after.isfinite().all())


@pytest.mark.parametrize("kind", EQUAL)
def test_channels_that_do_nothing_can_go_and_nothing_changes(kind: type[nn.Module]) -> None:
    """With the weights of the least important channels at zero, the pruned network computes what the whole one does."""
    torch.manual_seed(2)
    network = kind()
    program = exported(network)
    found = find_channels(program.module(check_guards=False))
    dead = {atom for atoms in list(found.groups().values())[::3] for atom in atoms}
    state = program.state_dict
    with torch.no_grad():
        for follower in found.followers:
            gone = [place for place, atom in enumerate(follower.atoms) if atom in dead]
            state[follower.target].index_fill_(follower.axis, torch.tensor(gone, dtype=torch.long), 0.0)
    whole = count_parameters(program)
    smaller = prune(program, lambda count, _: count <= whole * 0.95).program
    inputs = (torch.rand(1, 3, 16, 16),)
    (want,) = compute_outputs(program, inputs)
    (got,) = compute_outputs(smaller, inputs)
    assert count_parameters(smaller) < whole
    assert torch.allclose(want, got, atol=1e-5)


def test_what_stays_says_why() -> None:
    """Layers next to the output and those that attention reads are named with the reason."""
    program = exported(Attention())
    result = prune(program, lambda count, _: count < count_parameters(program) * 0.8)
    assert "output of the network" in result.stayed["tail"]
    assert "channels are not followed through it" in result.stayed["v"]
    assert set(result.widths) == {"mid"}


def test_a_network_without_a_channel_to_spare_is_an_error() -> None:
    """Nothing pruned is never a success."""
    program = exported(nn.Sequential(conv(3, 3)))
    with pytest.raises(ConversionError, match="no channel of this network can be pruned"):
        prune(program, lambda count, _: count < 10)


def test_a_budget_below_the_smallest_network_says_what_there_is() -> None:
    """The smallest network that pruning can make is named."""
    program = exported(Residual())
    with pytest.raises(
        VerificationError, match=r"cannot be met by pruning: with 2 channels a group the network has \d+ parameters"
    ):
        prune(program, lambda count, _: count < 10)


def test_widths_can_be_kept_to_multiples() -> None:
    """`multiple = 4` leaves 4 or 8 of 8."""
    program = exported(Residual())
    result = prune(program, lambda count, _: count <= count_parameters(program) * 0.7, multiple=4)
    assert {after for _, after in result.widths.values()} == {4}
