"""Averages in the two forms that delegates take: over the last two of four axes, and over channels as a convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


# Pixels of a block's side: XNNPACK adds at most 256 one after another then, where a picture has thousands.
LARGEST_BLOCK = 16


def average_space(x: Tensor) -> Tensor:
    """Of [N, C, H, W] over height and width, axes kept: the mean of the means of equal blocks.

    XNNPACK adds the pixels of a channel one after another in float32, which costs a picture of 64 x 64 some 20 dB behind
    a few instance norms; blocks keep every sum short.
    """
    from torch.nn.functional import avg_pool2d

    height, width = (_block(int(size)) for size in x.shape[2:])
    if height * width > 1 and x.shape[2] * x.shape[3] > LARGEST_BLOCK:
        x = avg_pool2d(x, (height, width))
    return x.mean((2, 3), keepdim=True)


def _block(size: int) -> int:
    """The largest divisor that is no larger than a block's side."""
    return max(part for part in range(1, LARGEST_BLOCK + 1) if size % part == 0)


def average_channels(x: Tensor) -> Tensor:
    """Of [N, C, H, W] over channels, axis kept: a 1 x 1 convolution whose weights are all 1 / C."""
    import torch
    from torch.nn.functional import conv2d

    return conv2d(x, torch.full((1, x.shape[1], 1, 1), 1.0 / x.shape[1], dtype=x.dtype))


def average_trailing(x: Tensor, axes: int) -> Tensor:
    """Over the last `axes` axes, kept with size 1."""
    outer, inner = x.shape[: x.ndim - axes], x.shape[x.ndim - axes :]
    flat = x.reshape(1, math.prod(outer), 1, math.prod(inner))
    return average_space(flat).reshape(*outer, *([1] * axes))


def average(x: Tensor, axes: Sequence[int]) -> Tensor | None:
    """Over these axes, kept with size 1; None for axes that no form fits."""
    wanted = sorted(axis % x.ndim for axis in axes)
    while wanted and wanted[-1] + 1 < x.ndim and x.shape[wanted[-1] + 1] == 1:
        wanted.append(wanted[-1] + 1)  # an axis of size one may be averaged too
    if x.ndim == 4 and wanted == [1]:
        return average_channels(x)
    if x.ndim == 4 and wanted == [1, 2, 3]:
        return average_channels(average_space(x))
    if x.ndim == 4 and wanted == [2, 3]:
        return average_space(x)
    if wanted == list(range(x.ndim - len(wanted), x.ndim)):
        return average_trailing(x, len(wanted))
    return None


def scale(x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]) -> Tensor:
    """`x * weight + bias`, both brought to `shape`."""
    if weight is not None:
        x = x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)
