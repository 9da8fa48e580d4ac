"""The palette of a weight: the 2^bits values that lose least, by k-means in one dimension, which has an exact solution.

coremltools' own `kmeans` mode takes scikit-learn's for weights of fewer than 10,000 values: one start, loosely converged,
and one more package to install.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.floating]
    Indices = NDArray[np.uint8]


def make_palettizer(bits: int, *, zeros: bool = True) -> Callable[[Weights], tuple[Weights, Indices]]:
    """A function from weights to (palette in their dtype, ascending; the number of the nearest value for each, flat).

    Without `zeros` the weights that are zero are stored otherwise: the palette is that of the others.
    """

    def palettize(weights: Weights) -> tuple[Weights, Indices]:
        import numpy as np
        from coremltools._deps import _kmeans1d  # exact: Grønlund et al., "Fast Exact k-Means ... in 1D" (2017)

        values, counts = np.unique(weights if zeros else weights[weights != 0], return_counts=True)
        size = min(1 << bits, values.size)
        centroids = np.sort(_kmeans1d.cluster(values, size, weights=counts).centroids)
        palette = np.full(1 << bits, centroids[-1], weights.dtype)
        palette[:size] = centroids
        flat = weights.reshape(-1).astype(np.float32)
        exact = palette.astype(np.float32)
        above = np.clip(np.searchsorted(exact, flat), 1, exact.size - 1)
        nearest = np.where(flat - exact[above - 1] <= exact[above] - flat, above - 1, above)
        return palette, nearest.astype(np.uint8)

    return palettize
