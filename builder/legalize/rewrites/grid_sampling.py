"""Sampling a picture at computed places as reads of single pixels, weighed: TFLite has no operator for it.

Core ML and ExecuTorch have one for pictures; for volumes (bilateral grids) none has, see `volume_sampling`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("litert",)
# Torch's numbers of interpolations; 2 is cubic.
_LINEAR, _NEAREST = 0, 1
# And of what lies outside.
_ZEROS, _BORDER, _REFLECTION = 0, 1, 2


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.grid_sampler.default": _pictures, "aten.grid_sampler_2d.default": _pictures})


def _pictures(x: Tensor, grid: Tensor, mode: int, outside: int, corners: bool) -> Any:
    return sample(x, grid, mode, outside, corners) if x.ndim == 4 else NotImplemented


def sample(x: Tensor, grid: Tensor, mode: int, outside: int, corners: bool) -> Any:
    """`x` [N, C, *sizes] at `grid` [N, *places, axes] in -1..1, the last axis first (Jaderberg et al. 2015)."""
    import torch

    if mode not in (_LINEAR, _NEAREST):
        return NotImplemented
    sizes = [int(size) for size in x.shape[2:]]
    places = [int(size) for size in grid.shape[1:-1]]
    batch, channels = int(x.shape[0]), int(x.shape[1])
    # All pictures of a batch side by side, so that one read takes from all of them.
    flat = (x if batch == 1 else x.transpose(0, 1)).reshape(channels, -1)
    points = grid.reshape(-1, len(sizes))
    first = None if batch == 1 else _place_first_pixels(batch, math.prod(sizes), math.prod(places))
    near = [
        _neighbours(points[:, len(sizes) - 1 - axis], size, mode, outside, corners) for axis, size in enumerate(sizes)
    ]
    total: Any = None
    for corner in itertools.product(*near):
        index: Any = None
        weight: Any = None
        for size, (place, share) in zip(sizes, corner, strict=True):
            whole = place.to(torch.int64)
            index = whole if index is None else index * size + whole
            weight = share if weight is None else weight if share is None else weight * share
        value = flat.index_select(1, index if first is None else index + first)
        value = value if weight is None else value * weight
        total = value if total is None else total + value
    if batch == 1:
        return total.reshape(1, channels, *places)
    return total.reshape(channels, batch, *places).transpose(0, 1)


def _place_first_pixels(batch: int, pixels: int, places: int) -> Tensor:
    """Where the picture begins that each of `places` places of each picture reads."""
    import torch

    return (torch.arange(batch).reshape(batch, 1) * pixels).expand(batch, places).reshape(-1)


def _neighbours(
    position: Tensor, size: int, mode: int, outside: int, corners: bool
) -> list[tuple[Tensor, Tensor | None]]:
    """The pixels along one axis that a position is made of, each with its share; None stands for a share of one."""
    import torch

    place = (position + 1.0) * ((size - 1) / 2) if corners else ((position + 1.0) * size - 1.0) * 0.5
    if outside == _REFLECTION:
        place = _reflect(place, 0.0, float(size - 1)) if corners else _reflect(place, -0.5, size - 0.5)
    if outside != _ZEROS:
        place = place.clamp(0.0, float(size - 1))
    if mode == _NEAREST:
        nearest = torch.round(place)
        return [_inside(nearest, None, size, outside)]
    low = torch.floor(place)
    share = place - low
    return [_inside(low, 1.0 - share, size, outside), _inside(low + 1.0, share, size, outside)]


def _inside(place: Tensor, share: Tensor | None, size: int, outside: int) -> tuple[Tensor, Tensor | None]:
    """A place that exists; with zeros outside, a share of zero for one that did not."""
    clamped = place.clamp(0.0, float(size - 1))
    if outside != _ZEROS:
        return clamped, share
    # 1 where nothing was clamped, 0 where something was: whole numbers lie at least one apart.
    here = 1.0 - (place - clamped).abs().clamp(max=1.0)
    return clamped, here if share is None else share * here


def _reflect(place: Tensor, low: float, high: float) -> Tensor:
    """Turned back at both ends as often as it takes."""
    import torch

    span = high - low
    if span <= 0:
        return torch.zeros_like(place)
    distance = (place - low).abs()
    turn = distance - torch.floor(distance * (0.5 / span)) * (2.0 * span)
    return low + span - (turn - span).abs()
