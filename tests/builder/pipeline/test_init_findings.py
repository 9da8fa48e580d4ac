"""What `builder init` takes from names of files, and from the network itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from builder.bundle import TensorSpec
from builder.errors import DataError
from builder.graph.samples import read_sample
from builder.pipeline.init_data import find_data, find_labels
from builder.pipeline.init_inputs import read_inputs_said_by
from builder.pipeline.init_text import Found, write_text
from builder.workers.jobs.evidence import measure_divergence, measure_gain_at_start
from builder.workers.messages import ProbedOutput, ProbeResult
from tests.builder.projects import write_pictures


@pytest.mark.parametrize(
    ("folders", "calibration", "evaluation"),
    [
        (("train", "val"), "train/*", "val/*"),
        (("validation/cat", "validation/dog"), None, "validation/*/*"),
        (("data/train/cat", "data/train/dog", "data/test/cat", "data/test/dog"), "data/train/*/*", "data/test/*/*"),
        (("images/calibration", "images/evaluation"), "images/calibration/*", "images/evaluation/*"),
        (("photos",), None, "photos/*"),
    ],
)
def test_sets_are_found_by_their_names_with_all_their_classes(
    tmp_path: Path, folders: tuple[str, ...], calibration: str | None, evaluation: str
) -> None:
    """A directory for each class is one set, and photographs to try come from every class."""
    for number, name in enumerate(folders):
        write_pictures(tmp_path / name, 3, seed=number)
    data = find_data(tmp_path)
    assert (data.calibration, data.evaluation) == (calibration, evaluation)
    if evaluation.endswith("/*/*"):
        assert len({path.parent for path in data.pictures}) == 2


def test_class_names_are_the_file_with_as_many_lines(tmp_path: Path) -> None:
    """One that fits is taken; two that fit are not chosen between."""
    (tmp_path / "requirements.txt").write_text("torch\nnumpy\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\nowl\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    assert find_labels(tmp_path, 3) == "classes.txt"
    assert find_labels(tmp_path, 4) is None
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    assert find_labels(tmp_path, 3) is None


class Starts(nn.Module):
    """Arithmetic, a convolution, a batch norm."""

    def __init__(self, start: object = None) -> None:
        super().__init__()
        self.start, self.conv, self.norm = start, nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x) if self.start else x  # type: ignore[operator]
        return torch.relu(self.norm(self.conv(x)))


@pytest.mark.parametrize(
    ("start", "gain"),
    [
        (lambda x: x / 127.5 - 1, 1 / 127.5),
        (lambda x: (x - 0.45) / 0.225, 1 / 0.225),
        (None, 1.0),
        (lambda x: x * x, None),
    ],
)
def test_arithmetic_at_the_beginning_is_a_gain(start: object, gain: float | None) -> None:
    """Whatever is no scaling is none."""
    program = torch.export.export(Starts(start).eval(), (torch.rand(1, 3, 8, 8),))
    found = measure_gain_at_start(program, torch.rand(1, 3, 8, 8))
    assert found == (None if gain is None else pytest.approx(gain, rel=1e-3))


def test_a_batch_norm_knows_the_pictures_of_its_training() -> None:
    """After it saw pictures with mean and deviation taken out, those are nearest, and pictures of 0..255 far away."""
    network, pictures = Starts(), torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    network.train()
    for _ in range(60):
        network((pictures - 0.5) / 0.25)
    program = torch.export.export(network.eval(), (pictures[:1],))
    apart = {
        name: measure_divergence(program, [scaled[n : n + 1] for n in range(4)])
        for name, scaled in (("trained", (pictures - 0.5) / 0.25), ("unit", pictures), ("levels", pictures * 255))
    }
    assert None not in apart.values()
    trained, unit, levels = (float(value or 0) for value in apart.values())
    assert trained * 2 < unit < levels
    assert measure_divergence(torch.export.export(nn.Conv2d(3, 3, 1), (pictures[:1],)), [pictures[:1]]) is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.02, 1.03, (0.0, 1.0)), (-0.95, 0.9, (-1.0, 1.0)), (3.0, 250.0, (0.0, 255.0)), (-0.4, 0.45, (-0.5, 0.5))],
)
def test_an_output_that_rings_over_its_range_is_not_given_a_wider_one(
    low: float, high: float, expected: tuple[float, float]
) -> None:
    """A super-resolution network without a clamp gives -0.02 to 1.03."""
    output = ProbedOutput(name="output", shape=(1, 3, 8, 8), low=low, high=high)
    facts = Found(
        name="n", source="m:f", checkpoint=None, inputs=(), probed=ProbeResult(outputs=(output,), range=(0, 1)),
        calibration=None, evaluation=None, sized=True, labels=(None,),
    )  # fmt: skip
    assert f"range = [{expected[0]}, {expected[1]}]" in write_text(facts)[0]


def test_an_output_with_channels_last_is_a_picture() -> None:
    """As TensorFlow gives it."""
    output = ProbedOutput(name="output", shape=(1, 8, 8, 3), low=0, high=1)
    facts = Found(
        name="n", source="m:f", checkpoint=None, inputs=(), probed=ProbeResult(outputs=(output,), range=(0, 1)),
        calibration=None, evaluation=None, sized=True, labels=(None,),
    )  # fmt: skip
    assert 'kind = "image"  # it gives [1, 8, 8, 3]' in write_text(facts)[0]


@pytest.mark.parametrize(
    ("message", "kind", "shape"),
    [
        ("the model takes [?, ?, ?, 1] (channels last) for input 'luma' but builder.toml says [1, 3, 256, 256]", "tensor", (1, 1, 256, 256)),
        ("weight of size [64, 1, 3, 3], expected input[1, 3, 64, 64] to have 1 channels, but got 3", "tensor", (1, 1, 64, 64)),
        ("weight of size [8, 4, 3, 3], expected input[1, 3, 64, 64] to have 4 channels, but got 3", "tensor", (1, 4, 64, 64)),
        ("the model takes [1, 96, 96, 3] for input 'x' but builder.toml says [1, 3, 256, 256]", "image", (1, 3, 96, 96)),
    ],
)  # fmt: skip
def test_a_network_that_wants_another_input_says_which(message: str, kind: str, shape: tuple[int, ...]) -> None:
    """It is tried once more with that."""
    (section,) = read_inputs_said_by(message) or ()
    assert (section.kind, section.shape) == (kind, shape)
    assert read_inputs_said_by("the model rejects inputs") is None


def test_a_grey_network_takes_photographs_by_their_brightness(tmp_path: Path) -> None:
    """ITU-R BT.601, in the input's range; without a range it is asked for."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    plane = TensorSpec(name="luma", kind="tensor", shape=(1, 1, 4, 4), range=(-1.0, 1.0))
    sample = read_sample(tmp_path / "red.png", (plane,))["luma"]
    assert sample.shape == (1, 1, 4, 4)
    assert sample == pytest.approx(2 * 0.299 - 1)
    with pytest.raises(DataError, match=r"has no 'range' for its brightness; write range = \[0.0, 1.0\]"):
        read_sample(tmp_path / "red.png", (TensorSpec(name="luma", kind="tensor", shape=(1, 1, 4, 4)),))
