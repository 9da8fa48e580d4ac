"""The Frechet distance of two sets of pictures, on pooled features of EfficientNet-Lite0: lower is nearer, 0 is equal.

The formula is that of FID (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, section 4); the features are others,
so its numbers are not FID's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float64]

# Pictures, or there is no covariance.
LEAST = 2


def frechet(got: Rows, want: Rows) -> float | None:
    """Of features, a row a picture. None for sets of fewer than two."""
    if min(len(got), len(want)) < LEAST:
        return None
    one, other = got - got.mean(axis=0), want - want.mean(axis=0)
    shift = float(((got.mean(axis=0) - want.mean(axis=0)) ** 2).sum())
    one, other = one / np.sqrt(len(got) - 1), other / np.sqrt(len(want) - 1)
    # The trace of the root of a product of covariances is the nuclear norm of this small matrix.
    crossed = float(np.linalg.svd(one @ other.T, compute_uv=False).sum())
    return max(shift + float((one**2).sum()) + float((other**2).sum()) - 2 * crossed, 0.0)
