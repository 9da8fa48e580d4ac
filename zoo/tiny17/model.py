"""tiny17: a style transfer network of depthwise blocks whose static int8 file has 17 KB, for pictures of 256 x 256 pixels.

Input `[1, 3, 256, 256]`, RGB in [0, 1]; output of the same shape and range. It works on 2 x 2 pixels at a time, so that an output pixel
sees some 40 pixels around it for a quarter of the work.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

BORDER = 8
"""Pixels that are mirrored around the picture and cut off again: the zeros around the blocks' inputs would show as a line."""


class Block(nn.Module):
    """`x + relu(pw(dw(x)))`: a depthwise 5x5 and a pointwise 1x1 convolution around a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dw = nn.Conv2d(width, width, kernel_size=5, padding=2, groups=width)
        self.pw = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.pw(self.dw(x)))


class Tiny17(nn.Module):
    """2 x 2 pixels become one position of `width` numbers; blocks; back by a pixel shuffle. The sigmoid keeps a valid picture."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, kernel_size=2, stride=2)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, 12, kernel_size=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(pad(x, (BORDER,) * 4, mode="reflect")))
        for block in self.blocks:
            x = block(x)
        return torch.sigmoid(self.shuffle(self.tail(x))[:, :, BORDER:-BORDER, BORDER:-BORDER])


def create(width: int = 24, blocks: int = 4) -> nn.Module:
    """The network without its trained weights."""
    return Tiny17(width, blocks)
