"""The terms that networks are taught by, one small function each.

Every term is a mean over the pictures of a batch, and free of the features' own scale, so that a weight means the same for every
layer and network, and parts of a batch add up to the whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Keeps a divisor from 0 for a picture of one colour.
LEAST = 1e-6
# Of a style's ramp: main colours, rounds of k-means, steps of brightness.
COLOURS, TURNS, SHADES = 8, 20, 256
# Of red, green and blue in brightness (ITU-R BT.601).
LIGHT = (0.299, 0.587, 0.114)


def compare_content(got: Tensor, want: Tensor) -> Tensor:
    """Features `[n, c, h, w]`: squared distance, in units of the wanted ones' variance (Gatys, Ecker and Bethge, 2016)."""
    return ((got - want).square().mean((1, 2, 3)) / want.var((1, 2, 3), correction=0).clamp_min(LEAST)).mean()


def measure_gram_distance(got: Tensor, want: Tensor) -> Tensor:
    """Gram matrices `[n, c, c]`: mean of (G_ij - S_ij)^2 / (P_i P_j), where P_i = S_ii + mean_k S_kk.

    Gatys, Ecker and Bethge, 2016, with each channel in units of its power: a few loud channels do not decide alone. The mean power
    keeps silent ones from being amplified.
    """
    power = want.diagonal(dim1=1, dim2=2)
    power = power + power.mean(1, keepdim=True).clamp_min(LEAST)
    return ((got - want).square() / (power[:, :, None] * power[:, None, :])).mean()


def compute_moments(features: Tensor) -> Tensor:
    """`[n, c, h, w]` -> `[n, 2, c]`: mean and standard deviation of each channel over positions."""
    import torch

    flat = features.flatten(2)
    return torch.stack([flat.mean(2), (flat.var(2, correction=0) + LEAST).sqrt()], dim=1)


def compare_statistics(got: Tensor, want: Tensor) -> Tensor:
    """Moments `[n, 2, c]`: squared distance, in units of the wanted channels' mean variance (Huang and Belongie, 2017)."""
    return ((got - want).square().sum(1).mean(1) / want[:, 1].square().mean(1)).mean()


def draw_directions(channels: int, count: int, seed: int = 0) -> Tensor:
    """Random unit vectors `[count, channels]`, always the same for a seed."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, channels, generator=generator)
    return drawn / drawn.square().sum(1, keepdim=True).sqrt()


def sort_slices(features: Tensor, along: Tensor, count: int | None = None) -> Tensor:
    """`[n, c, h, w]` -> `[n, directions, positions]`: features along each direction, in order; resampled to `count` positions."""
    from torch.nn.functional import interpolate

    ordered = (along @ features.flatten(2)).sort(dim=2).values
    return ordered if count in (None, ordered.shape[2]) else interpolate(ordered, size=count, mode="linear")


def wasserstein(got: Tensor, want: Tensor) -> Tensor:
    """Sorted slices `[n, d, positions]`: squared distance in units of the wanted ones' variance.

    The sliced Wasserstein distance (Heitz et al., "A Sliced Wasserstein Loss for Neural Texture Synthesis", 2021).
    """
    return ((got - want).square().mean((1, 2)) / want.var(2, correction=0).mean(1).clamp_min(LEAST)).mean()


def spread_directions(count: int = 16) -> Tensor:
    """Unit vectors `[count, 3]` of colours, evenly spread over half of the sphere (Fibonacci lattice)."""
    import torch

    place = torch.arange(count) + 0.5
    height, turn = place / count, place * math.pi * (1.0 + math.sqrt(5.0))
    radius = (1.0 - height.square()).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), height], dim=1)


def compute_ramp(style: Tensor) -> Tensor:
    """RGB `[1, 3, h, w]` in 0..1 -> `[1, SHADES, 3]`: the style's own colour for each brightness from black to white.

    Its main colours, by k-means (Lloyd, 1982) of 4 x 4 pixels, in the order of their brightness; between them and to both ends the way is
    straight. It is what painters' gradient maps are.
    """
    import torch
    from torch.nn.functional import avg_pool2d

    pixels = avg_pool2d(style, 4).flatten(2)[0].T
    pixels = pixels[compute_brightness(pixels.T[None, :, :, None]).flatten().argsort()]
    centres = pixels[torch.linspace(0, len(pixels) - 1, COLOURS + 2).long()[1:-1]]
    for _ in range(TURNS):
        nearest = torch.cdist(pixels, centres).argmin(1)
        centres = torch.stack(
            [pixels[nearest == k].mean(0) if bool((nearest == k).any()) else centres[k] for k in range(COLOURS)]
        )
    ends = torch.cat([torch.zeros(1, 3), centres, torch.ones(1, 3)])
    light = compute_brightness(ends.T[None, :, :, None]).flatten()
    light, order = light.sort()
    wanted = torch.linspace(0, 1, SHADES)
    above = torch.searchsorted(light, wanted).clamp(1, len(light) - 1)
    share = (wanted - light[above - 1]) / (light[above] - light[above - 1]).clamp_min(LEAST)
    colours = ends[order]
    return torch.lerp(colours[above - 1], colours[above], share.clamp(0, 1)[:, None])[None]


def compare_tint(after: Tensor, before: Tensor, ramps: Tensor, window: int = 4) -> Tensor:
    """RGB in 0..1, ramps `[n, SHADES, 3]`: squared difference of mean colours to those that the style has for the photograph's brightness."""
    import torch
    from torch.nn.functional import avg_pool2d

    light = avg_pool2d(compute_brightness(before), window)[:, 0]
    place = (light * (SHADES - 1)).round().long().clamp(0, SHADES - 1).flatten(1)
    colours = (
        torch.gather(ramps, 1, place[:, :, None].expand(-1, -1, 3)).transpose(1, 2).reshape(-1, 3, *light.shape[1:])
    )
    return (avg_pool2d(after, window) - colours).square().mean()


def compare_tone(after: Tensor, before: Tensor, window: int = 8) -> Tensor:
    """RGB `[n, 3, h, w]` in 0..1: squared difference of mean brightness in windows of so many pixels."""
    from torch.nn.functional import avg_pool2d

    return (
        (avg_pool2d(compute_brightness(after), window) - avg_pool2d(compute_brightness(before), window)).square().mean()
    )


def compare_identity(after: Tensor, before: Tensor) -> Tensor:
    """Mean absolute difference of what is to stay as it is (Zhu et al., "Unpaired Image-to-Image Translation", 2017, section 5.2)."""
    return (after - before).abs().mean()


def measure_variation(pictures: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, down and across (Rudin, Osher and Fatemi, 1992)."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean()
    return down + (pictures[:, :, :, 1:] - pictures[:, :, :, :-1]).abs().mean()


def compare_edges(after: Tensor, before: Tensor) -> Tensor:
    """RGB in 0..1: difference of the strength of edges, where the photograph has them: weighted by its own edges, whose mean is 1."""
    mine, wanted = measure_edge_strength(after), measure_edge_strength(before)
    weight = wanted / wanted.mean((1, 2, 3), keepdim=True).clamp_min(LEAST)
    return (weight * (mine - wanted).abs()).mean()


def measure_edge_strength(pictures: Tensor) -> Tensor:
    """`[n, 3, h, w]` -> `[n, 1, h - 2, w - 2]`: length of the gradient of brightness per pixel (Sobel)."""
    import torch
    from torch.nn.functional import conv2d

    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernel = torch.stack([across, across.T])[:, None].to(pictures)
    slopes = conv2d(compute_brightness(pictures), kernel)
    return (slopes.square().sum(1, keepdim=True) + LEAST).sqrt()


def compute_brightness(pictures: Tensor) -> Tensor:
    """`[n, 3, h, w]` -> `[n, 1, h, w]`."""
    import torch

    return (pictures * torch.tensor(LIGHT).to(pictures).reshape(1, 3, 1, 1)).sum(1, keepdim=True)


def compare_motion(moved_after: Tensor, after_moved: Tensor, seen: Tensor) -> Tensor:
    """Mean squared difference where both were seen (`seen` `[n, 1, h, w]`, 0 or 1): what flickers (Gao et al., ReCoNet, 2018)."""
    error = (moved_after - after_moved).square().mean(1, keepdim=True) * seen
    return (error.sum((1, 2, 3)) / seen.sum((1, 2, 3)).clamp_min(1)).mean()


def move(pictures: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures carried along a known affine motion `[n, 2, 3]`, as torch's affine_grid has it, and where they come from inside."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    grid = affine_grid(motion, list(pictures.shape), align_corners=False)
    moved = grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(dim=3)[:, None]
    return moved, inside.to(torch.float32)
