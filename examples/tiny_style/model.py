"""tiny_style: a style transfer network of 2,611 parameters for pictures of 256 x 256 pixels.

Input `[1, 3, 256, 256]`, RGB in [0, 1]; output of the same shape and range. One output pixel sees 13 x 13 input pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = 16
BLOCKS = 4


class ResidualBlock(nn.Module):
    """`x + relu(pw(dw(x)))`: a depthwise 3x3 and a pointwise 1x1 convolution around a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dw = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)
        self.pw = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.pw(self.dw(x)))


class TinyStyle(nn.Module):
    """A head, four residual blocks and a tail; the sigmoid keeps the output a valid picture."""

    def __init__(self, channels: int = CHANNELS, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, kernel_size=3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.tail = nn.Conv2d(channels, 3, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(x))
        for block in self.blocks:
            x = block(x)
        return torch.sigmoid(self.tail(x))


def create() -> nn.Module:
    """The network without its trained weights."""
    return TinyStyle()
