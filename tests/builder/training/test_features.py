"""Feature networks: layers by name, and a VGG of the user's own that computes what torch computes of the same layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from builder.errors import ConfigError
from builder.quality.features import ALL_LAYERS, LAYERS, Features, normalise
from builder.training.vgg import VggFeatures


def test_layers_are_given_by_name_and_in_order() -> None:
    """The layers that measures use are a part of all; each is the same tensor either way."""
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        every = dict(zip(ALL_LAYERS, Features(ALL_LAYERS).maps(picture), strict=True))
        some = dict(zip(LAYERS, Features().maps(picture), strict=True))
    assert all(torch.equal(every[name], value) for name, value in some.items())
    assert [32 // value.shape[2] for value in every.values()] == [2, 2, 4, 4, 8, 8, 16]


def vgg(path: Path, *, norms: bool = False) -> nn.Sequential:
    """Three stages as torchvision numbers them, with small widths."""
    torch.manual_seed(1)

    def convolution(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b)] if norms else []), nn.ReLU()]

    layers = [
        *convolution(3, 4), nn.MaxPool2d(2), *convolution(4, 5), *convolution(5, 5), nn.MaxPool2d(2), *convolution(5, 6),
    ]  # fmt: skip
    network = nn.Sequential(*layers).eval()
    save_file({f"features.{name}": value for name, value in network.state_dict().items()}, path)
    return network


def test_a_vgg_of_ones_own_gives_the_layers_of_the_papers(tmp_path: Path) -> None:
    """relu2_2 and relu3_1, after the poolings that torchvision's numbers leave out."""
    network = vgg(tmp_path / "vgg.safetensors")
    features = VggFeatures(tmp_path / "vgg.safetensors", ("relu3_1", "relu2_2"))
    assert features.layers == ("relu2_2", "relu3_1")
    picture = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        for got, depth in zip(features.maps(picture), (7, 10), strict=True):
            assert torch.allclose(got, network[:depth](normalise(picture)), atol=1e-6)


def test_what_is_no_such_vgg_is_refused(tmp_path: Path) -> None:
    """Another network, one with batch norms, and a layer that there is not."""
    vgg(tmp_path / "vgg.safetensors")
    with pytest.raises(ConfigError, match="no layer 'relu3_2'; did you mean 'relu3_1'"):
        VggFeatures(tmp_path / "vgg.safetensors", ("relu3_2",))
    vgg(tmp_path / "norms.safetensors", norms=True)
    with pytest.raises(ConfigError, match="with batch norms"):
        VggFeatures(tmp_path / "norms.safetensors")
    save_file({"head.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match="no VGG of torchvision"):
        VggFeatures(tmp_path / "other.safetensors")
