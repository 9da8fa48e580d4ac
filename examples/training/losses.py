"""Content, style and total-variation losses (Gatys et al. 2016, Johnson et al. 2016), each free of the feature scale.

EfficientNet's layers differ in scale by orders of magnitude, so every term is divided by the size of its target: a layer
then counts for how far it is off, not for how large its numbers are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

FeatureMaps = dict[str, Tensor]


def gram(features: Tensor) -> Tensor:
    """Mean products of channels, `[n, c, h, w]` -> `[n, c, c]`: which features occur together, not where."""
    n, channels, height, width = features.shape
    flat = features.reshape(n, channels, height * width)
    return flat @ flat.transpose(1, 2) / (height * width)


def style_loss(found: FeatureMaps, style: FeatureMaps) -> Tensor:
    """Mean over the layers of the mean of (G_ij - S_ij)^2 / (P_i P_j), with P_i = S_ii + mean_k S_kk.

    `style` holds the Gram matrices S, `[1, c, c]`, of the style. Dividing by the channels' power keeps a few loud channels
    from deciding alone; adding the mean power keeps silent ones from being amplified.
    """
    terms: list[Tensor] = []
    for name, target in style.items():
        power = target.diagonal(dim1=1, dim2=2)
        power = power + power.mean(dim=1, keepdim=True)
        scale = power[:, :, None] * power[:, None, :]
        terms.append(((gram(found[name]) - target) ** 2 / scale).mean())
    return torch.stack(terms).mean()


def palette_directions(count: int = 16) -> Tensor:
    """Fixed unit vectors `[count, 3]`, evenly spread over half of the colour sphere (Fibonacci lattice)."""
    index = torch.arange(count) + 0.5
    height = index / count
    turn = index * math.pi * (1.0 + math.sqrt(5.0))
    radius = (1.0 - height**2).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), height], dim=1)


PALETTE_WINDOWS = (1, 4)
"""Colours are compared pixel by pixel and as means of 4 x 4 pixels: fine lines alone must not satisfy the palette."""


def palette(pictures: Tensor, window: int, count: int | None = None) -> Tensor:
    """Brightness along each colour direction, sorted, `[n, 3, h, w]` -> `[n, directions, count]`.

    The pixels are means over `window` x `window`; `count` resamples to as many values.
    """
    ordered = (palette_directions() @ avg_pool2d(pictures, window).flatten(2)).sort(dim=2).values
    return ordered if count in (None, ordered.shape[2]) else interpolate(ordered, size=count, mode="linear")


def palette_loss(pictures: Tensor, style: Tensor) -> Tensor:
    """Sliced Wasserstein distance (squared) of the colours to those of the picture `style`, mean over PALETTE_WINDOWS.

    Classifiers are trained to look past colour, so their Gram matrices alone leave it nearly free.
    """
    terms: list[Tensor] = []
    for window in PALETTE_WINDOWS:
        found = palette(pictures, window)
        terms.append(((found - palette(style, window, found.shape[2])) ** 2).mean())
    return torch.stack(terms).mean()


def content_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of two feature maps, relative to the variance of the wanted one."""
    return ((found - wanted) ** 2).mean() / wanted.var().clamp_min(1e-6)


def tone_loss(before: Tensor, after: Tensor, window: int = 8) -> Tensor:
    """Squared difference of mean brightness in windows of `window` pixels: light places stay light, dark ones dark."""
    return ((avg_pool2d(after.mean(1), window) - avg_pool2d(before.mean(1), window)) ** 2).mean()


def variation_loss(pictures: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels: keeps single-pixel noise out of the result."""
    across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    return across + down
