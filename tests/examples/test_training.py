"""The training loop: seeded, resumable, and careful with its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tests.examples.models import EXAMPLES, create

if TYPE_CHECKING:
    from training.loop import Objective
    from training.settings import Settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    from training.settings import Settings

    return Settings(steps=3, batch=2, crop=32, seed=11, value_range=(0.0, 1.0), warmup_steps=1, save_every=1)


@pytest.fixture(scope="module")
def objective(settings: Settings) -> Objective:
    from training.command import objective_for

    return objective_for(settings, EXAMPLES / "tiny_style" / "style.png")


def run(objective: Objective, state: Path, *, resume: bool, stop_after: int | None = None) -> dict[str, Tensor]:
    """Weights after training from the seed, or from `state`."""
    from training.data import Crops
    from training.loop import Course, initialise, train
    from training.pictures import TRAINING

    settings = objective.settings
    torch.manual_seed(settings.seed)
    network = create("tiny_style")
    initialise(network)
    crops = Crops.of(TRAINING[:2], size=settings.crop, batch=settings.batch, seed=settings.seed)
    course = Course(state=state, resume=resume, stop_after=stop_after)
    train(network, crops, objective, course=course, report=lambda *_: None)
    return network.state_dict()


def identical(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_training_is_seeded(objective: Objective, tmp_path: Path) -> None:
    """Two runs from one seed give the same weights, and training changes them."""
    first = run(objective, tmp_path / "a.pt", resume=False)
    assert identical(first, run(objective, tmp_path / "b.pt", resume=False))
    assert not identical(first, run(objective, tmp_path / "c.pt", resume=False, stop_after=1))


def test_resumed_run_gives_identical_weights(objective: Objective, tmp_path: Path) -> None:
    """A run that is interrupted after one step and resumed ends where an uninterrupted one ends."""
    whole = run(objective, tmp_path / "whole.pt", resume=False)
    run(objective, tmp_path / "state.pt", resume=False, stop_after=1)
    assert identical(whole, run(objective, tmp_path / "state.pt", resume=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.pt", "whole.pt"]


def test_state_of_other_settings_is_refused(objective: Objective, tmp_path: Path) -> None:
    """A state file written with other settings stops the run with a sentence that names the file."""
    from training.loop import Objective

    run(objective, tmp_path / "state.pt", resume=False, stop_after=1)
    other = Objective(objective.features, objective.picture, replace(objective.settings, style_weight=2.0))
    with pytest.raises(ValueError, match=r"state\.pt was written with other settings"):
        run(other, tmp_path / "state.pt", resume=True)


def test_batches_depend_on_seed_and_step_only() -> None:
    """The crops of a step do not depend on which steps were drawn before."""
    from training.data import Crops
    from training.pictures import TRAINING

    crops = Crops.of(TRAINING[:2], size=32, batch=2, seed=1)
    later = crops(5)
    crops(0)
    assert torch.equal(later, crops(5))
    assert not torch.equal(later, crops(6))
    assert later.shape == (2, 3, 32, 32)
    assert float(later.min()) >= 0.0
    assert float(later.max()) <= 1.0


def test_unknown_feature_layer_is_named(objective: Objective) -> None:
    """A feature layer that does not exist is an error that lists the layers there are."""
    from training.features import Features

    with pytest.raises(ValueError, match="no feature layer 'conv1'; choose from stem"):
        Features(objective.features.network, ("conv1",))
