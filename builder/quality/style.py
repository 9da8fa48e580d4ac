"""How much a picture has of a style and of a content, by features of EfficientNet-Lite0, and by edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from builder.quality.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Picture = NDArray[np.float64]

# Of the sliced Wasserstein distance, a layer.
DIRECTIONS = 64
# Any one will do; a fixed one gives the same directions for every picture.
SEED = 0
# Pixels that an edge may move.
NEAR = 2
# Pixels of blur before edges are looked for: finer texture is none.
EDGE_SIGMA = 2.0


def make_tensor(picture: Picture) -> Tensor:
    """`[h, w, 3]` -> `[1, 3, h, w]`."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32))


def gram(features: Tensor) -> Tensor:
    """`[n, c, h, w]` -> `[n, c, c]`: products of channels, mean over positions (Gatys, Ecker and Bethge, 2016)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def measure_gram_distance(got: list[Tensor], style: list[Tensor]) -> float:
    """Squared distance of the Gram matrices in units of the style's own, mean over layers: 0 is equal, 1 is as far as no style at all."""
    pairs = [(gram(one), gram(other)) for one, other in zip(got, style, strict=True)]
    return float(np.mean([float((one - other).square().sum() / other.square().sum()) for one, other in pairs]))


def wasserstein(got: list[Tensor], style: list[Tensor]) -> float:
    """Sliced Wasserstein distance of the features at all positions, mean over layers (Heitz et al., "A Sliced Wasserstein Loss for
    Neural Texture Synthesis", 2021), in units of the standard deviation of the style's layer."""
    return float(np.mean([_slice_distance(one, other) for one, other in zip(got, style, strict=True)]))


def _slice_distance(got: Tensor, style: Tensor) -> float:
    from scipy.stats import wasserstein_distance

    one, other = (features[0].flatten(1).numpy().astype(np.float64) for features in (got, style))
    directions = np.random.default_rng(SEED).normal(size=(DIRECTIONS, one.shape[0]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = [wasserstein_distance(a, b) for a, b in zip(directions @ one, directions @ other, strict=True)]
    return float(np.mean(distances)) / max(float(other.std()), 1e-12)


def measure_content_distance(got: list[Tensor], content: list[Tensor]) -> float:
    """Squared distance of features in units of the content's own, mean over layers (Gatys, Ecker and Bethge, 2016, equation 1)."""
    pairs = zip(got, content, strict=True)
    return float(np.mean([float((one - other).square().sum() / other.square().sum()) for one, other in pairs]))


def measure_edges_kept(got: Picture, content: Picture) -> float | None:
    """Share of the content's edges (Canny, 1986) with an edge of the picture at most two pixels away; None where it has none."""
    from scipy.ndimage import distance_transform_edt
    from skimage.color import rgb2gray
    from skimage.feature import canny

    mine, wanted = (canny(rgb2gray(picture), sigma=EDGE_SIGMA) for picture in (got, content))
    if not wanted.any():
        return None
    if not mine.any():
        return 0.0
    return float((distance_transform_edt(~mine)[wanted] <= NEAR).mean())


def compute_feature_maps(network: Features, picture: Picture) -> list[Tensor]:
    """Of one picture."""
    import torch

    with torch.no_grad():
        return network.maps(make_tensor(picture))
