"""What classifiers say: the best of their scores, in order."""

from __future__ import annotations

import numpy as np

from scripts.vectors.files import Case, pack

ABOUT = (
    "Labels of a classifier: of `values` (float32, base64) with `names`, the `most` best, best first, as their `labels` and the `places` of their "
    "scores. Equal scores stand in the network's order, what is no number comes last, and a class without a name is called by its number."
)
NAMES = ("cat", "dog", "house", "tree", "boat", "bird")


def make_cases() -> list[Case]:
    random = np.random.default_rng(20)
    ties = np.float32([1, 3, 2, 3, 1, 3])
    holes = np.float32([np.nan, -np.inf, 0.5, np.nan, np.inf, 0.5])
    return [
        _case(random.normal(size=6).astype(np.float32), NAMES, 3),
        _case(random.random(6).astype(np.float32), NAMES, 6),
        _case(ties, NAMES, 4),
        _case(holes, NAMES, 6),
        _case(random.normal(size=6).astype(np.float32), NAMES[:2], 6),
        _case(np.zeros(4, np.float32), (), 100),
    ]


def _case(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], names: tuple[str, ...], most: int) -> Case:
    places = sorted(range(len(values)), key=lambda at: (-(-np.inf if np.isnan(values[at]) else values[at]), at))[:most]
    labels = [names[at] if at < len(names) else str(at) for at in places]
    return {"values": pack(values), "names": list(names), "most": most, "labels": labels, "places": places}
