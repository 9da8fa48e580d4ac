"""Sparse pictures: one pixel of each block of 4 x 4, by which a package's goldens are told without their whole bytes.

The PSNR of such a sample is that of the picture, within the noise of the sample, for errors anywhere: every row, every
column and every place of a block has the same share of it. Kotlin, Swift and TypeScript take the same pixels
(docs/formats/vectors/sparse.json).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from builder.bundle.variant import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A sixteenth of the pixels is left, and each row and column still has its share.
BLOCK = 4
# Pixels of the shorter side: a smaller picture is small enough, and its sample would be too few pixels.
LEAST = 64


def sample_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) -> (H // 4, W // 4, 3). Rows and columns beyond the last whole block are left out.

    Block (row, column) gives its pixel (column % 4, (column // 4 + row) % 4).
    """
    rows, columns = np.indices((pixels.shape[0] // BLOCK, pixels.shape[1] // BLOCK))
    chosen = pixels[BLOCK * rows + columns % BLOCK, BLOCK * columns + (columns // BLOCK + rows) % BLOCK]
    return np.ascontiguousarray(chosen)


def make_sparse_spec(spec: TensorSpec) -> TensorSpec:
    """The picture's spec with the size of its sparse picture."""
    *first, height, width = spec.shape
    return spec.model_copy(update={"shape": (*first, height // BLOCK, width // BLOCK)})
