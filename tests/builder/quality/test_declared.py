"""What a network gives is compared with what builder.toml declares of it, before any converter starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from builder.bundle import TensorSpec
from builder.errors import VerificationError
from builder.project.project import open_project
from builder.quality.declared import OutputCheck
from builder.quality.metrics import QualityMeter
from builder.workers.jobs.source import run_source
from builder.workers.messages import SourceJob
from tests.builder.projects import edit, make_project

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own


def pictures(low: float, high: float, count: int = 2) -> list[NDArray[Any]]:
    """Random pictures whose values reach from `low` to `high`."""
    generator = np.random.default_rng(0)
    return [generator.uniform(low, high, (1, 3, 16, 16)).astype(np.float32) for _ in range(count)]


def judge(values: list[NDArray[Any]], **declared: object) -> tuple[str, ...]:
    spec = TensorSpec(name="out", kind="image", shape=values[0].shape, color_order="RGB", **declared)  # type: ignore[arg-type]
    check = OutputCheck(outputs=[spec], whose="the source model")
    for value in values:
        check.add({"out": value})
    return check.judge()


@pytest.mark.parametrize(
    ("low", "high", "declared", "fits"),
    [
        (0, 255, (0.0, 1.0), r"range = \[0, 255\]"),
        (-1, 1, (0.0, 1.0), r"range = \[-1, 1\]"),
        (0, 1, (0.0, 255.0), r"range = \[0, 1\]"),
        (-1, 1, (0.0, 255.0), r"range = \[-1, 1\]"),
        (0, 255, (-1.0, 1.0), r"range = \[0, 255\]"),
        (-0.5, 0.5, (0.0, 1.0), r"range = \[-0.5, 0.5\]"),
        (-9, -3, (0.0, 1.0), r"range = \[-127.5, 127.5\]|one colour"),
    ],
)
def test_an_output_of_another_range_is_refused_with_the_range_that_fits(
    low: float, high: float, declared: tuple[float, float], fits: str
) -> None:
    """Such a network converts to 60 dB and shows a white, black or washed-out picture."""
    with pytest.raises(VerificationError, match=fits):
        judge(pictures(low, high), range=declared)


def test_normalized_outputs_under_a_plain_range_and_the_other_way_round_are_refused() -> None:
    """ImageNet's mean and std give values from -2.1 to 2.6."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert judge(pictures(-1.8, 2.2), mean=mean, std=std) == ()
    with pytest.raises(VerificationError, match="would be clamped"):
        judge(pictures(-2.1, 2.6), range=(0.0, 1.0))
    with pytest.raises(VerificationError, match=r"declared mean and std .* range = \[0, 255\]"):
        judge(pictures(0, 255), mean=mean, std=std)


@pytest.mark.parametrize(
    "value",
    [np.zeros((1, 3, 8, 8)), np.full((1, 3, 8, 8), 0.4), np.full((1, 3, 8, 8), 300.0), np.full((1, 3, 8, 8), -4)],
)
def test_a_picture_of_one_colour_is_refused(value: NDArray[Any]) -> None:
    """All black agrees with its artifact to 200 dB; so does what varies by 1e-5 only, and what saturates its range."""
    noise = np.random.default_rng(0).uniform(0, 1e-5, value.shape)
    for values in (value, value + noise):
        with pytest.raises(VerificationError, match="one colour for every evaluation sample"):
            judge([values.astype(np.float32)] * 2, range=(0.0, 1.0))


def test_three_flat_channels_of_different_values_are_one_colour_too() -> None:
    """A blue picture is as dead as a black one."""
    blue = np.zeros((1, 3, 8, 8), np.float32)
    blue[:, 2] = 1
    with pytest.raises(VerificationError, match="one colour"):
        judge([blue], range=(0.0, 1.0))


def test_ringing_that_goes_far_is_no_other_range() -> None:
    """-0.26 to 1.38 is not within -1 to 1 either: who wrote that range would ship pale pictures."""
    values = pictures(0, 1)
    values[0][0, :, :2] = -0.26
    values[1][0, :, :2] = 1.383
    [warning] = judge(values, range=(0.0, 1.0))
    assert "which every app clamps" in warning


def test_a_network_without_a_clamp_is_told_and_taken() -> None:
    """Ringing beyond black and white is clamped by every app; a flat sample among others is a flat photograph."""
    values = [*pictures(0, 1), np.zeros((1, 3, 16, 16), np.float32)]
    assert judge(values, range=(0.0, 1.0)) == ()
    values[0][0, 0, 0, :4] = (-0.1, 1.2, 1.1, -0.3)
    assert "leaves the declared range [0, 1] (-0.3 to 1.2, " in " ".join(judge(values, range=(0.0, 1.0)))
    assert "never goes below 0, the middle" in " ".join(judge(pictures(0.01, 1), range=(-1.0, 1.0)))


def test_an_output_that_knows_nothing_of_its_input_is_told() -> None:
    """An error where it is all that the network gives; beside another output it may be what was meant, as anchors are."""
    with pytest.raises(VerificationError, match="the source model gives the same 'out' for all 2 evaluation samples"):
        judge(pictures(0, 1, 1) * 2, range=(0.0, 1.0))
    scores = [TensorSpec(name=name, kind="vector", shape=(1, 4)) for name in ("anchors", "scores")]
    check = OutputCheck(outputs=scores, whose="the source model")
    for number in range(2):
        check.add({"anchors": np.arange(4.0)[None], "scores": np.arange(4.0)[None] * number})
    assert check.judge() == (
        "output 'anchors' of the source model is the same for all 2 evaluation samples: it does not depend on the input",
    )
    spec = TensorSpec(name="scores", kind="vector", shape=(1, 4))
    check = OutputCheck(outputs=[spec], whose="the source model")
    check.add({"scores": np.ones((1, 4), np.float32)})
    assert "one value everywhere (1 for" in " ".join(check.judge())


def test_quality_is_told_against_the_range_that_the_output_really_has() -> None:
    """A picture that fills a tenth of its range has 20 dB less by its own measure."""
    spec = TensorSpec(name="out", kind="image", shape=(1, 3, 16, 16), color_order="RGB", range=(0.0, 1.0))
    want = pictures(0.4, 0.5, 1)[0]
    want.flat[0], want.flat[1] = 0.4, 0.5
    meter = QualityMeter(outputs=(spec,))
    meter.add({"out": want + np.float32(0.001)}, {"out": want})
    quality = meter.result("none")
    assert quality.psnr_db_worst == pytest.approx(60, abs=0.1)
    assert quality.psnr_db_worst_own == pytest.approx(40, abs=0.1)


def test_the_source_step_refuses_a_network_of_another_range(tmp_path: Path) -> None:
    """It ends before any converter, and says the line to write."""
    folder = make_project(tmp_path / "project")
    edit(folder / "model.py", "torch.sigmoid(self.tail(x))", "torch.sigmoid(self.tail(x)) * 255")
    project = open_project(folder)
    evaluation = tuple(file.path for file in project.data.evaluation)
    (tmp_path / "work").mkdir()
    job = SourceJob(config=project.config, folder=folder, evaluation=evaluation, goldens=1)
    with pytest.raises(VerificationError, match=r"one colour .* \(range = \[0, 255\] would hold them\)"):
        run_source(job, tmp_path / "work")
