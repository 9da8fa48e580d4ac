"""The training loop: the same seed gives the same weights, an interrupted run goes on to the same, and a bad one stops and says why."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.bundle import TensorSpec
from builder.errors import ConversionError
from builder.training.loop import Lesson, train
from builder.training.network import make_trainable, takes
from builder.training.objective import Objective, Weights
from builder.training.pictures import Batches, Selection
from builder.training.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore")

SPEC = TensorSpec(name="out", kind="image", shape=(1, 3, 16, 16), color_order="RGB", range=(0.0, 1.0))
SETTINGS = Settings(steps=12, batch=2, crop=16, learning_rate=1e-2, seed=1, save_every_s=0.0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for a busy machine's processors spin: a test of seconds would take minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network(seed: int) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))


def lesson(student: Any, **changes: Any) -> Lesson:
    spec = SPEC.model_copy(update={"name": "image"})
    given: dict[str, Any] = {
        "stage": "distill",
        "student": student,
        "teacher": network(7),
        "groups": [(list(student.parameters()), 1.0)],
        "objective": Objective((SPEC,), Weights()),
        "batches": Batches(spec, Selection(files=(), size=(16, 16), batch=2, seed=1)),
    }
    return Lesson(**{**given, **changes})


def weights(student: nn.Module) -> Tensor:
    return torch.cat([value.detach().reshape(-1) for value in student.parameters()])


def forever() -> float:
    return time.monotonic() + 1000


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """Cut off after some steps, and resumed from what was kept: bit for bit the uninterrupted run."""
    whole = network(0)
    done = train(lesson(whole), SETTINGS, tmp_path / "whole", lambda text: None, forever())
    assert done.losses[-1] < done.losses[0]

    class Cut(Exception):
        pass

    def cut_off(batches: Any, at: int) -> Any:
        def batch(step: int) -> tuple[Tensor]:
            if step == at:
                raise Cut
            return batches(step)

        return batch

    for at in (5, 9):
        student = network(0)
        taught = lesson(student)
        with pytest.raises(Cut):
            train(
                lesson(student, batches=cut_off(taught.batches, at)),
                SETTINGS,
                tmp_path / "cut",
                lambda text: None,
                forever(),
            )
    student = network(3)  # another start: everything comes from the state
    train(lesson(student), SETTINGS, tmp_path / "cut", lambda text: None, forever())
    assert torch.equal(weights(student), weights(whole))


def test_averaged_weights_are_the_result_and_survive_a_cut(tmp_path: Path) -> None:
    """The moving average of the weights: by hand for one step, and the same after a cut."""
    settings = replace(SETTINGS, average=0.9, steps=1)
    before, student = weights(network(0)), network(0)
    train(lesson(student), settings, tmp_path / "one", lambda text: None, forever())
    plain = network(0)
    train(lesson(plain), replace(settings, average=0.0), tmp_path / "plain", lambda text: None, forever())
    assert torch.equal(weights(student), weights(plain))  # an average begins with what is there first
    assert not torch.equal(weights(student), before)
    whole, cut = network(0), network(0)
    settings = replace(settings, steps=8)
    train(lesson(whole), settings, tmp_path / "whole", lambda text: None, forever())
    with pytest.raises(ConversionError, match="--resume"):
        train(lesson(cut), settings, tmp_path / "cut", lambda text: None, time.monotonic() - 1)
    train(lesson(network(5)), settings, tmp_path / "cut", lambda text: None, forever())
    again = network(5)
    train(lesson(again), settings, tmp_path / "cut", lambda text: None, forever())
    assert torch.equal(weights(again), weights(whole))


def test_a_batch_in_parts_gives_the_losses_of_the_whole(tmp_path: Path) -> None:
    """Gradients of parts add up."""
    both = [
        train(lesson(network(0), parts=parts), SETTINGS, tmp_path / str(parts), lambda text: None, forever()).losses
        for parts in (1, 2)
    ]
    assert both[0] == pytest.approx(both[1], abs=1e-5)


def test_looks_that_find_nothing_better_end_the_training(tmp_path: Path) -> None:
    """After two looks without a better one; the looks are told."""
    settings = replace(SETTINGS, look_every=2, patience=2)
    found = iter([3.0, 2.0, 2.5, 2.2, 1.0])
    done = train(lesson(network(0), look=lambda _: next(found)), settings, tmp_path / "s", lambda text: None, forever())
    assert done.looks == (3.0, 2.0, 2.5, 2.2)
    assert done.steps == 8


def test_a_loss_that_is_not_a_number_stops_with_step_and_cure(tmp_path: Path) -> None:
    """NaN and divergence name the stage, the step and the line to change."""

    def bad(got: Sequence[Tensor], want: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        return (got[0] * float("nan")).mean()

    with pytest.raises(ConversionError, match="'distill' gave the loss nan at step 1; lower learning_rate"):
        train(lesson(network(0), objective=bad), SETTINGS, tmp_path / "s", lambda text: None, forever())

    def constant(got: Sequence[Tensor], want: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        return (want[0] * 2).mean()

    with pytest.raises(ConversionError, match="no weight changes"):
        train(lesson(network(0), objective=constant), SETTINGS, tmp_path / "s", lambda text: None, forever())


def test_time_that_is_over_keeps_the_state(tmp_path: Path) -> None:
    """The message says how to go on, and the state is there."""
    with pytest.raises(ConversionError, match=r"step 1 of 12.*raise time_s.*--resume"):
        train(lesson(network(0)), SETTINGS, tmp_path / "s", lambda text: None, time.monotonic() - 1)
    assert (tmp_path / "s").is_file()


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    """Equal for equal seed and step, other pictures for others, in the network's own range."""
    from tests.builder.projects import write_pictures

    write_pictures(tmp_path, 3, seed=1, size=40)
    spec = SPEC.model_copy(update={"range": (-1.0, 1.0)})
    files = sorted(tmp_path.glob("*.png"))

    def batch(step: int, seed: int = 1) -> Tensor:
        return Batches(spec, Selection(files=files, size=(16, 24), batch=4, seed=seed))(step)[0]

    assert batch(3).shape == (4, 3, 16, 24)
    assert torch.equal(batch(3), batch(3))
    assert not torch.equal(batch(3), batch(4))
    assert not torch.equal(batch(3), batch(3, seed=2))
    values = np.concatenate([batch(step).numpy().reshape(-1) for step in range(4)])
    assert values.min() >= -1
    assert values.max() <= 1
    assert values.min() < -0.5
    assert values.max() > 0.5


def test_a_network_with_a_size_in_its_graph_is_trained_at_that_size() -> None:
    """A view with fixed sizes takes no batch and no crop; plain convolutions take both."""

    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(1, 3, 256).softmax(-1).reshape(1, 3, 16, 16)

    sample = (torch.rand(1, 3, 16, 16),)
    plain, fixed = (make_trainable(torch.export.export(net, sample)) for net in (network(0).eval(), Fixed().eval()))
    assert takes(plain, (4, 3, 8, 8), (1, 3, 16, 16))
    assert not takes(fixed, (4, 3, 16, 16), (1, 3, 16, 16))
    assert takes(fixed, (1, 3, 16, 16), (1, 3, 16, 16))
