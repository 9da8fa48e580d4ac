"""Batches for `builder train`: photographs, and with each a style, a motion and a crop of the style, by seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from builder.training.pictures import Batches

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

# Of the pictures, where there are several styles.
MIXED = 0.25
# Of a motion at most: radians, share, share of half a side.
TURN, GROW, SHIFT = 0.05, 0.05, 0.08
# Numbers from here on draw batches that no training reaches, however long it is.
HELD_OUT = 1 << 40


class StyleBatches:
    """Batch number `step`: photographs as the network takes them, style vectors `[n, styles]`, motions `[n, 2, 3]`, crops of styles."""

    def __init__(self, photographs: Batches, styles: Sequence[Tensor], *, size: tuple[int, int], seed: int) -> None:
        self._photographs, self._styles, self._size, self._seed = photographs, tuple(styles), size, seed

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """RGB in 0..1 for the crops of styles."""
        import torch

        (pictures,) = self._photographs(step)
        random = np.random.default_rng((self._seed, step, 1))
        vectors = np.stack([self._vector(random) for _ in range(len(pictures))])
        motions = np.stack([_motion(random) for _ in range(len(pictures))])
        crops = [self._crop(random, vector) for vector in vectors] if self._styles else [pictures]
        return pictures, torch.from_numpy(vectors), torch.from_numpy(motions), torch.cat(crops)

    def _vector(self, random: np.random.Generator) -> NDArray[np.float32]:
        count = max(len(self._styles), 1)
        vector = np.zeros(count, np.float32)
        if count > 1 and random.random() < MIXED:
            one, other = random.choice(count, 2, replace=False)
            vector[one] = share = np.float32(random.uniform(0.2, 0.8))
            vector[other] = 1 - share
        else:
            vector[int(random.integers(count))] = 1
        return vector

    def _crop(self, random: np.random.Generator, vector: NDArray[np.float32]) -> Tensor:
        from torch.nn.functional import interpolate

        style = self._styles[int(vector.argmax())]
        height, width = (min(a, b) for a, b in zip(self._size, style.shape[2:], strict=True))
        top, left = (int(random.integers(room + 1)) for room in (style.shape[2] - height, style.shape[3] - width))
        crop = style[:, :, top : top + height, left : left + width]
        return crop if (height, width) == self._size else interpolate(crop, size=self._size, mode="bilinear")


def _motion(random: np.random.Generator) -> NDArray[np.float32]:
    """A small turn, growth and shift, as torch's affine_grid has them."""
    turn, size = random.uniform(-TURN, TURN), 1 + random.uniform(-GROW, GROW)
    across, down = random.uniform(-SHIFT, SHIFT, 2)
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    return np.array([[cos, -sin, across], [sin, cos, down]], np.float32)
