"""A thousand calibration pictures: read one at a time, each counted, never held together."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from builder.backends import executorch
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.workers.jobs.shared import count_samples
from tests.builder.models import make_picture_model, make_variant_job, plan_of
from tests.builder.projects import write_pictures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.graph.model import Model
    from builder.graph.tensors import Tensors

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter warns of its own deprecations

PICTURES = 1000


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return make_picture_model(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval(), size=16
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("calibration")
    write_pictures(folder, PICTURES, seed=3, size=16)
    return tuple(sorted(folder.iterdir()))


class Counted:
    """The stream that a worker calibrates with, and how many of its pictures were alive at once."""

    def __init__(self, model: Model, pictures: tuple[Path, ...], folder: Path) -> None:
        self.told: list[str] = []
        self.alive = 0
        job = make_variant_job("tflite", folder, plan_of({}), calibration=pictures)
        self._samples = count_samples(job, model, self.told.append)

    def __iter__(self) -> Iterator[Tensors]:
        known: list[weakref.ref[NDArray[np.generic]]] = []
        for sample in self._samples:
            known = [other for other in known if other() is not None]
            known.append(weakref.ref(sample["image"]))
            self.alive = max(self.alive, len(known))
            yield sample


@pytest.mark.parametrize("backend", ["tflite", "executorch"])
def test_a_thousand_pictures_need_the_memory_of_two(
    backend: str, model: Model, pictures: tuple[Path, ...], tmp_path: Path
) -> None:
    """All pictures are observed and told, and none is kept when the one after the next is read."""
    stream = Counted(model, pictures, tmp_path)
    if backend == "tflite":
        seen = observe_file(*to_float_file(model), iter(stream))
    else:  # Core ML observes by the same function
        seen = executorch.observe(model, iter(stream))
    assert stream.told == [f"calibrate {number}/{PICTURES}" for number in range(1, PICTURES + 1)]
    assert stream.alive <= 2
    assert {found.values for found in seen.values()} >= {PICTURES * 16 * 16}
