"""Large pictures from tiles: how far a network looks, what is refused and why, and seams that nobody sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.bundle import Tiling
from builder.bundle.tensors import make_pixels, make_tensor
from builder.errors import InputError
from builder.graph.receptive_field import Reach, reach_of
from builder.graph.tiling import Tiler, find_tiling
from tests.builder.models import make_image_spec

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, from within export

SIZE = 64


class Unet(nn.Module):
    """Stride 2 down, a dilated convolution, bilinear up, a skip: everything local."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.middle = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.norm, self.up, self.last = nn.BatchNorm2d(8).eval(), nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.Conv2d(11, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(F.relu(self.norm(self.middle(self.down(x)))))
        return torch.sigmoid(8 * self.last(F.pad(torch.cat([x, y], 1), (1, 1, 1, 1), "reflect")))


class Whole(nn.Module):
    """One operator that sees the whole picture."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return {
            "instance_norm": lambda: F.instance_norm(y),
            "mean": lambda: y * y.mean((2, 3), keepdim=True),
            "attention": lambda: (y.flatten(2) @ torch.eye(SIZE * SIZE)).view_as(y),
        }[self.kind]()


def exported(network: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(network.eval(), (torch.rand(1, 3, SIZE, SIZE),))


def picture() -> np.ndarray:
    return np.random.default_rng(1).random((1, 3, SIZE, SIZE), np.float32)


def facts(network: nn.Module) -> Tiling:
    return find_tiling(exported(network), (make_image_spec("image", SIZE),), (make_image_spec("out", SIZE),), picture())


def test_the_overlap_follows_from_kernels_strides_and_dilations() -> None:
    """1 before the stride, 2 x 2 behind it, 2 of the way up and 1 at the end, rounded to the grid."""
    program = exported(Unet())
    found = reach_of(program, program.graph_signature.user_inputs[:1])
    assert found == Reach(overlap=10, multiple=2, scale=Fraction(1))


def rendering(network: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """Pixels through a network, as a phone's runtime gives them."""

    def render(pixels: np.ndarray) -> np.ndarray:
        spec = make_image_spec("image", SIZE).model_copy(update={"shape": (1, 3, *pixels.shape[:2])})
        with torch.no_grad():
            return make_pixels(network(torch.from_numpy(make_tensor(pixels, spec))).numpy(), spec)

    return render


def test_tiles_of_a_convolutional_network_have_no_seam() -> None:
    """A picture far larger than a tile is the whole network's within one level, and its tiles agree where they are mixed."""
    network = Unet()
    found = facts(network)
    assert found.allowed
    assert found.scale == 1
    large = np.random.default_rng(2).integers(0, 256, (150, 174, 3), np.uint8)
    render = rendering(network)
    tiled, seam = Tiler.of(SIZE, SIZE, 1, found).run(large, render)
    assert seam <= 1
    # 150 and 174 are no steps of 64, so that the last tiles go on beyond the picture; the network itself saw another edge there
    whole = render(large)
    assert np.abs(tiled[:-12, :-12].astype(int) - whole[:-12, :-12]).max() <= 1


def test_too_little_overlap_would_be_seen() -> None:
    """The comparison of neighbouring tiles finds what a margin of zero does."""
    large = np.random.default_rng(2).integers(0, 256, (128, 128, 3), np.uint8)
    tiler = Tiler(height=SIZE, width=SIZE, scale=1, margin=0, band=8, multiple=2)
    _, seam = tiler.run(large, rendering(Unet()))
    assert seam > 1


@pytest.mark.parametrize(("reach", "allowed"), [(64, True), (92, True), (93, False), (123, False)])
def test_a_reach_that_phones_refuse_is_refused_here(reach: int, allowed: bool) -> None:
    """At 256 pixels a tile with a reach of 93 would move on by less than a quarter of its side: over 16 times the work."""
    made = Tiling(allowed=True, overlap=reach, multiple=1, scale=1.0)
    if allowed:
        assert Tiler.of(256, 256, 1, made).step(256) >= 64
    else:
        with pytest.raises(InputError, match=f"needs {reach} pixels around each tile, too many for tiles of 256"):
            Tiler.of(256, 256, 1, made)


def test_a_network_that_reduces_its_picture_is_not_made_of_tiles() -> None:
    """Phones put tiles together at whole multiples of their size."""
    found = facts(nn.Conv2d(3, 3, 2, stride=2))
    assert not found.allowed
    assert "0.5 times the size of its input" in (found.reason or "")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("instance_norm", r"takes its statistics from the whole picture; freeze them .*\(test_tiling.py line"),
        ("mean", "needs the whole picture"),
        ("attention", "not known to look at a neighbourhood only|needs the whole picture"),
    ],
)
def test_what_sees_the_whole_picture_is_refused_with_the_reason(kind: str, reason: str) -> None:
    """By operator and line, with what would help where something does."""
    found = facts(Whole(kind))
    assert not found.allowed
    assert re.search(reason, found.reason or "")


def test_a_network_that_looks_further_than_its_tiles_is_refused() -> None:
    """Twice the overlap must leave something in the middle."""
    deep = nn.Sequential(*(nn.Conv2d(3, 3, 9, padding=4) for _ in range(8)))
    found = facts(deep)
    assert not found.allowed
    assert "32 pixels to each side, too far for tiles of 64" in (found.reason or "")
