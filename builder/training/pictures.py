"""Training batches in an order that nothing but the seed and the step decide: crops of photographs, and pictures that are drawn.

Drawn pictures are 'dead leaves' (Lee, Mumford and Huang, "Occlusion Models for Natural Images", 2001): shapes of all sizes that
cover one another have the statistics of edges that photographs have. A few photographs and these teach more than the few alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import TensorSpec
from builder.bundle.pictures import read_rgb
from builder.bundle.tensors import make_tensor
from builder.errors import BundleError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Pixels = NDArray[np.uint8]

# With so many photographs none need be drawn.
MANY = 100
# Of a photograph in memory.
LARGEST_SIDE = 640
# Photographs in memory.
KEPT = 64
# Of a crop's side in its photograph's shorter side.
SMALLEST_SHARE = 0.3
# Enough to cover the picture: one is a twentieth of it on average.
LEAVES = 60


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What batches show: `batch` crops of `size` from `files`, every `drawn_every`th one drawn instead (0: none), `varied` or not."""

    files: Sequence[Path]
    size: tuple[int, int]
    batch: int
    seed: int
    drawn_every: int = 2
    varied: bool = True


class Batches:
    """Batch number `step` of a network's only input, a picture: `[batch, 3, crop, crop]` as the network takes it."""

    def __init__(self, spec: TensorSpec, selection: Selection) -> None:
        self._selection, self._size = selection, selection.size
        self._spec = spec.model_copy(update={"shape": (1, 3, *selection.size)})

    def __call__(self, step: int) -> tuple[Tensor]:
        """Raises DataError for a photograph that cannot be read."""
        import torch

        batch = self._selection.batch
        random = np.random.default_rng((self._selection.seed, step))
        drawn = [self._picture(random, step * batch + number) for number in range(batch)]
        return (torch.from_numpy(np.concatenate([make_tensor(pixels, self._spec) for pixels in drawn])),)

    def _picture(self, random: np.random.Generator, number: int) -> Pixels:
        every = self._selection.drawn_every
        draws = not self._selection.files or (every > 0 and number % every == every - 1)
        pixels = draw_dead_leaves(random, self._size) if draws else self._crop(random)
        return vary(pixels, random) if self._selection.varied else pixels

    def _crop(self, random: np.random.Generator) -> Pixels:
        from PIL import Image

        files = self._selection.files
        picture = _photograph(files[int(random.integers(len(files)))])
        height, width = self._size
        share = min(picture.shape[0] / height, picture.shape[1] / width)
        scale = random.uniform(SMALLEST_SHARE, 1.0) * share
        tall, wide = max(int(height * scale), 1), max(int(width * scale), 1)
        top, left = int(random.integers(picture.shape[0] - tall + 1)), int(random.integers(picture.shape[1] - wide + 1))
        cut = Image.fromarray(picture[top : top + tall, left : left + wide])
        return np.asarray(cut.resize((width, height), Image.Resampling.BILINEAR), np.uint8)


def split_batch(batch: Tensor) -> list[Tensor]:
    """Its pictures, a batch of one each."""
    return [batch[place : place + 1] for place in range(len(batch))]


@lru_cache(maxsize=KEPT)
def _photograph(path: Path) -> Pixels:
    try:
        picture = read_rgb(path, about=LARGEST_SIDE)
    except BundleError as error:
        raise DataError(str(error)) from error
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return np.asarray(picture, np.uint8)


def draw_dead_leaves(random: np.random.Generator, size: tuple[int, int]) -> Pixels:
    """Discs, boxes and bars with a slope of brightness each and a little noise, the last one on top."""
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = np.full((height, width, 3), random.integers(0, 256, 3), np.float32)
    for _ in range(LEAVES):
        radius = min(height, width) * 0.03 / random.uniform(0.05, 1.0)
        y, x, angle = random.uniform(0, height), random.uniform(0, width), random.uniform(0, np.pi)
        along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        kind = random.integers(3)
        if kind == 0:
            inside = along**2 + across**2 < radius**2
        else:
            inside = (np.abs(along) < radius) & (np.abs(across) < radius * (0.8 if kind == 1 else 0.15))
        slope = along[inside, None] / radius * random.uniform(-60, 60, 3)
        picture[inside] = random.uniform(0, 255, 3) + slope
    picture += random.normal(0, random.uniform(0, 8), picture.shape)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def vary(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Turned over, in other light and with other colours now and then."""
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    if random.random() < 0.2:
        pixels = pixels[:, :, random.permutation(3)]
    if random.random() < 0.5:
        light = random.uniform(0.7, 1.3) * random.uniform(0.9, 1.1, 3)
        pixels = np.clip(pixels * light + random.uniform(-30, 30), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)
