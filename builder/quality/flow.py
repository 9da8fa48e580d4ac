"""Motion between two pictures, what it hides, and a picture carried along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float64]
    Flow = NDArray[np.float64]
    Mask = NDArray[np.bool_]


def estimate_flow(one: Picture, other: Picture) -> Flow:
    """`[2, h, w]`: for each pixel of `one` how far down and right it stands in `other`, in pixels.

    scikit-image's TV-L1 (Zach, Pock and Bischof, 2007).
    """
    from skimage.color import rgb2gray
    from skimage.registration import optical_flow_tvl1

    flow: Flow = optical_flow_tvl1(rgb2gray(one), rgb2gray(other))
    return flow


def carry(picture: NDArray[np.float64], flow: Flow) -> NDArray[np.float64]:
    """What `picture` (`[h, w, k]`) shows where the flow ends, seen from where it begins; bilinear, the border continued."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    places = np.stack([rows + flow[0], columns + flow[1]])
    return np.stack(
        [map_coordinates(picture[..., k], places, order=1, mode="nearest") for k in range(picture.shape[2])], -1
    )


def find_seen(forward: Flow, backward: Flow) -> Mask:
    """Where the flow can be believed: neither hidden in the other picture nor at a border of motions.

    Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", 2016, as Lai et al., 2018, use them.
    """
    back = carry(backward.transpose(1, 2, 0), forward).transpose(2, 0, 1)
    lengths = (forward**2).sum(axis=0) + (back**2).sum(axis=0)
    hidden = ((forward + back) ** 2).sum(axis=0) > 0.01 * lengths + 0.5
    slopes = sum((slope**2 for part in forward for slope in np.gradient(part)), np.zeros(forward.shape[1:]))
    border = slopes > 0.01 * (forward**2).sum(axis=0) + 0.002
    rows, columns = np.mgrid[: forward.shape[1], : forward.shape[2]]
    down, right = rows + forward[0], columns + forward[1]
    inside = (down >= 0) & (down <= forward.shape[1] - 1) & (right >= 0) & (right <= forward.shape[2] - 1)
    believed: Mask = ~hidden & ~border & inside
    return believed
