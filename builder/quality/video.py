"""How steady a video is, against the clip that it was made of: frames are RGB, `[h, w, 3]`, 0..1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from builder.quality.flow import carry, estimate_flow, find_seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from builder.quality.flow import Flow, Mask

    Picture = NDArray[np.float64]

Distance = Callable[["Picture", "Picture"], float]
"""How unlike two pictures look; 0 is equal."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """Between each two frames of the clip: the flow, and where it is believed."""

    flows: tuple[Flow, ...]
    masks: tuple[Mask, ...]


def estimate_motion(clip: Sequence[Picture], tell: Callable[[int], None] = lambda done: None) -> Motion:
    flows, masks = [], []
    for number, (one, other) in enumerate(pairwise(clip)):
        forward = estimate_flow(one, other)
        flows.append(forward)
        masks.append(find_seen(forward, estimate_flow(other, one)))
        tell(number + 1)
    return Motion(flows=tuple(flows), masks=tuple(masks))


def measure_warping_error(frames: Sequence[Picture], motion: Motion) -> float:
    """Squared difference of each frame from the next one carried back, mean over channels and believed pixels, then over frames.

    Lai et al., "Learning Blind Video Temporal Consistency", 2018.
    """
    errors = []
    for number, (flow, mask) in enumerate(zip(motion.flows, motion.masks, strict=True)):
        if mask.any():
            apart = (frames[number] - carry(frames[number + 1], flow)) ** 2
            errors.append(float(apart[mask].mean()))
    return float(np.mean(errors)) if errors else 0.0


def tof(frames: Sequence[Picture], motion: Motion) -> float:
    """Length of the difference of the video's own flow from the clip's, in pixels, mean over positions and frames.

    Chu et al., "Learning Temporal Coherence via Self-Supervision for GAN-based Video Generation", 2020.
    """
    own = [estimate_flow(one, other) for one, other in pairwise(frames)]
    pairs = zip(own, motion.flows, strict=True)
    return float(np.mean([np.sqrt(((mine - flow) ** 2).sum(axis=0)).mean() for mine, flow in pairs]))


def tlp(frames: Sequence[Picture], clip: Sequence[Picture], distance: Distance) -> float:
    """How differently the looks of the two change from frame to frame, mean over frames (Chu et al., 2020)."""
    changes = [abs(distance(frames[n], frames[n + 1]) - distance(clip[n], clip[n + 1])) for n in range(len(clip) - 1)]
    return float(np.mean(changes))
