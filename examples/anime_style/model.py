"""anime_style: a generator of 2.1 M parameters in the layout of AnimeGANv2, for pictures of 256 x 256 pixels.

Input `[1, 3, 256, 256]`, RGB in [-1, 1]; output of the same shape and range. The layout (blocks a to e, output layer) is that
of the published network (Chen et al. 2019, version 2); the code and the weights are this project's own.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

SLOPE = 0.2


class ConvNorm(nn.Sequential):
    """Reflection padding, convolution without bias, GroupNorm over all channels, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        layers: list[nn.Module] = [nn.ReflectionPad2d(kernel // 2)] if kernel > 1 else []
        layers += [
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(SLOPE),
        ]
        super().__init__(*layers)


class InvertedResidual(nn.Module):
    """Widen with 1x1, filter each channel with 3x3, narrow with 1x1; the input is added where the width stays the same."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int = 2) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            ConvNorm(inputs, hidden, kernel=1),
            ConvNorm(hidden, hidden, groups=hidden),
            nn.Conv2d(hidden, outputs, kernel_size=1, bias=False),
            nn.GroupNorm(1, outputs),
        )
        self.keeps_width = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.keeps_width else y


class AnimeStyle(nn.Module):
    """Down by four (a, b), wide (c), up by four (d, e), RGB by a tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.block_a = nn.Sequential(ConvNorm(3, 32, kernel=7), ConvNorm(32, 64, stride=2), ConvNorm(64, 64))
        self.block_b = nn.Sequential(ConvNorm(64, 128, stride=2), ConvNorm(128, 128))
        self.block_c = nn.Sequential(
            ConvNorm(128, 128),
            InvertedResidual(128, 256),
            InvertedResidual(256, 256),
            InvertedResidual(256, 256),
            InvertedResidual(256, 256),
            ConvNorm(256, 128),
        )
        self.block_d = nn.Sequential(ConvNorm(128, 128), ConvNorm(128, 128))
        self.block_e = nn.Sequential(ConvNorm(128, 64), ConvNorm(64, 64), ConvNorm(64, 32, kernel=7))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, kernel_size=1, bias=False), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        x = self.block_c(self.block_b(self.block_a(x)))
        x = self.block_d(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        x = self.block_e(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        y: Tensor = self.out_layer(x)
        return y


def create() -> nn.Module:
    """The network without its trained weights."""
    return AnimeStyle()
