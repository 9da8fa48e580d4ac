"""tiny17: a style transfer network of depthwise blocks whose static int8 file has 17 KB, for pictures of 256 x 256 pixels.

Input `[1, 3, 256, 256]`, RGB in [0, 1]; output of the same shape and range. It works on 2 x 2 pixels at a time, so that an output
pixel sees 34 x 34 pixels for a quarter of the work.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BORDER = 8
"""Pixels that are put around the picture and cut off again: the zeros around the blocks' inputs would show as a line."""
DILATIONS = (2, 1, 1)


class Block(nn.Module):
    """`x + relu(pw(dw(x)))`: a depthwise 5x5 and a pointwise 1x1 convolution around a skip connection."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dw = nn.Conv2d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width)
        self.pw = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.pw(self.dw(x)))


class Tiny17(nn.Module):
    """2 x 2 pixels become one position of `width` numbers; blocks; back by a pixel shuffle. The sigmoid keeps a valid picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 2, stride=2)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in DILATIONS)
        self.tail = nn.Conv2d(width, 12, 1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(repeat_border(repeat_border(x, 2), 3)))
        for block in self.blocks:
            x = block(x)
        return torch.sigmoid(self.shuffle(self.tail(x))[:, :, BORDER:-BORDER, BORDER:-BORDER])


def repeat_border(x: Tensor, axis: int) -> Tensor:
    """The outermost row or column of either side, eight times more. XNNPACK joins five tensors at most, so four become one first."""
    first, last = (torch.cat([x.narrow(axis, place, 1)] * 4, axis) for place in (0, x.shape[axis] - 1))
    return torch.cat([first, first, x, last, last], axis)


def create(width: int = 22) -> nn.Module:
    """The network without its trained weights."""
    return Tiny17(width)
