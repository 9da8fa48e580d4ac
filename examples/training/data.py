"""Training crops in an order that depends on nothing but the seed and the step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.pictures import ByteArray, Picture

SMALLEST_SHARE = 0.25
"""The smallest crop, as a share of the picture's shorter side."""


@dataclass(frozen=True)
class Crops:
    """Batches of augmented square crops. Batch `step` is drawn by a generator of its own, so a resumed run sees the same."""

    pictures: tuple[ByteArray, ...]
    size: int
    batch: int
    seed: int

    @classmethod
    def of(cls, pictures: tuple[Picture, ...], *, size: int, batch: int, seed: int) -> Crops:
        return cls(tuple(picture.pixels() for picture in pictures), size, batch, seed)

    def __call__(self, step: int) -> Tensor:
        """Batch number `step`: `[batch, 3, size, size]` in [0, 1]."""
        generator = np.random.default_rng((self.seed, step))
        crops = [self._crop(generator) for _ in range(self.batch)]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()

    def _crop(self, generator: np.random.Generator) -> NDArray[np.float32]:
        from PIL import Image

        pixels = self.pictures[int(generator.integers(len(self.pictures)))]
        height, width = pixels.shape[:2]
        shorter = min(height, width)
        side = int(generator.uniform(max(SMALLEST_SHARE * shorter, min(self.size, shorter)), shorter + 1))
        top, left = (int(generator.integers(room + 1)) for room in (height - side, width - side))
        crop = Image.fromarray(pixels[top : top + side, left : left + side])
        resized = crop.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return _augment(np.asarray(resized, dtype=np.float32) / 255.0, generator)


def _augment(pixels: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Mirror, exchange colour channels now and then, and vary contrast, brightness and tint: a few pictures then act as many."""
    if generator.random() < 0.5:
        pixels = pixels[:, ::-1]
    if generator.random() < 0.3:
        pixels = pixels[:, :, generator.permutation(3)]
    gain = generator.uniform(0.7, 1.3) * generator.uniform(0.8, 1.2, 3)
    offset = generator.uniform(-0.15, 0.15)
    return np.clip((pixels - 0.5) * gain + 0.5 + offset, 0.0, 1.0).astype(np.float32)
