"""The verify job judges the tiles that phones make, with the variant's own runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle import Tiling
from builder.graph.tiling import SEAM
from builder.workers.jobs.verify import measure_seam
from builder.workers.messages import VerifyJob
from tests.builder.models import make_image_spec

SIZE = 64
Tensors = Mapping[str, Any]


def seam(tiling: Tiling | None, step: float) -> float | None:
    """Of a runtime that gives its input, each call brighter by `step` levels than the one before."""
    job = VerifyJob.model_construct(
        root=Path(),
        variant=_Variant(tiling),
        golden=None,
        inputs=(make_image_spec("image", SIZE),),
        outputs=(make_image_spec("out", SIZE),),
    )
    calls = 0

    def run(inputs: Tensors) -> Tensors:
        nonlocal calls
        calls += 1
        return {"out": inputs["image"] + np.float32(calls * step / 255)}

    flat = np.full((1, 3, SIZE, SIZE), 0.25, np.float32)
    return measure_seam(job, run, {"image": flat})  # type: ignore[arg-type]


class _Variant:
    def __init__(self, tiling: Tiling | None) -> None:
        self.tiling = tiling


@pytest.mark.parametrize(("step", "good"), [(0.0, True), (0.2, True), (2.0, False)])
def test_tiles_that_differ_are_seen(step: float, good: bool) -> None:
    """Less than a level between neighbours is no seam in 8 bits; two levels are."""
    found = seam(Tiling(allowed=True, overlap=4, multiple=2, scale=1.0), step)
    assert found is not None
    assert (found <= SEAM) == good


@pytest.mark.parametrize(
    "tiling",
    [
        None,
        Tiling(allowed=False, reason="it looks at the whole picture"),
        Tiling(allowed=True, overlap=25, multiple=1, scale=1.0),  # of an older bundle: phones refuse it
    ],
)
def test_what_no_phone_makes_of_tiles_is_not_judged(tiling: Tiling | None) -> None:
    """There is no seam where there are no tiles."""
    assert seam(tiling, 2.0) is None
