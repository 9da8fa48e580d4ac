"""The second route to TFLite files: the one test that installs onnx2tf, and what is refused of what it makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from builder.backends import tflite
from builder.backends.tflite import convert, onnx2tf
from builder.backends.tflite.options import TfliteOptions
from builder.bundle import Bundle
from builder.errors import ConversionError
from builder.graph.model import Model
from builder.project.config import VariantSection
from builder.workers.jobs.shared import require_parity
from tests.builder.models import make_picture_model, samples, seeded
from tests.builder.projects import make_project

# torch's own, from within both exporters
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

LIMIT_S = 600.0
OTHER = TfliteOptions(route="onnx2tf").find_other_converter()


class Net(nn.Module):
    """Two layers whose weights do not tell what stands between them."""

    between = staticmethod(torch.relu)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.between(self.first(image))))


class Other(Net):
    between = staticmethod(torch.tanh)


def test_a_plan_is_realised_on_its_files_like_on_the_first_routes(tmp_path: Path) -> None:
    """In an environment that is announced and made: the layers are found, the plan is what the file has, the output is right."""
    project = make_project(tmp_path / "project")
    text = (project / "builder.toml").read_text(encoding="utf-8")
    text = text.replace('delegate = "xnnpack"\n', 'delegate = "xnnpack"\nroute = "onnx2tf"\n')
    (project / "builder.toml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "builder", "convert", project, "-o", tmp_path / "bundle"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "EDGEBUNDLE_CACHE": str(tmp_path / "cache")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("installing onnx2tf==1.29.24") == 1
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert {tool.name: tool.version for tool in manifest.tools}["onnx2tf"] == "1.29.24"
    floats, mixed = manifest.variants
    assert (floats.id, mixed.id) == ("tflite-xnnpack-fp32-onnx2tf", "tflite-xnnpack-plan-onnx2tf")
    assert floats.quality.psnr_db_worst >= 100
    assert floats.coverage.mac_share == 1
    assert floats.legalized == ()
    assert {layer.layer: layer.realised for layer in mixed.layers} == {
        "head": "fp16",
        "dw": "static_wi8_ai8",
        "pw": "static_wi8_ai8",
        "tail": "fp16",
    }
    assert 25 <= mixed.quality.psnr_db_worst < floats.quality.psnr_db_worst


@pytest.fixture(scope="module")
def model() -> Model:
    torch.set_num_threads(1)
    return make_picture_model(seeded(Net))


def test_a_file_that_computes_something_else_is_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal weights and shapes are not enough: the fp32 file runs beside the source model before a plan is realised."""
    given: list[Model] = [model, make_picture_model(seeded(Other))]
    monkeypatch.setattr(onnx2tf, "convert", lambda _: convert.convert_by_litert(given.pop(0)))
    right = convert.to_float_file(model, "onnx2tf")
    require_parity(*right, model, samples(model), OTHER, tflite)
    wrong = convert.to_float_file(model, "onnx2tf")
    with pytest.raises(ConversionError, match=r"onnx2tf made something else .* remove 'route'"):
        require_parity(*wrong, model, samples(model), OTHER, tflite)


def test_a_file_of_other_shapes_is_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the tensor and both shapes."""
    smaller = make_picture_model(seeded(Net), size=16)
    monkeypatch.setattr(onnx2tf, "convert", lambda _: convert.convert_by_litert(smaller))
    with pytest.raises(ConversionError, match=r"onnx2tf made 'image' .*\[1, 16, 16, 3\] where \[1, 32, 32, 3\]"):
        convert.to_float_file(model, "onnx2tf")


def test_the_converters_end_without_a_file_is_one_sentence(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said last, and how to go without it; here it is not installed where it is looked for."""
    monkeypatch.setattr(onnx2tf, "make_python", lambda *_: Path(sys.executable))
    with pytest.raises(
        ConversionError, match=r"onnx2tf cannot convert the model \(ModuleNotFoundError: .*onnx2tf.*remove 'route'"
    ):
        convert.to_float_file(model, "onnx2tf")


def test_the_route_is_for_tflite_alone() -> None:
    """Other backends have one way."""
    with pytest.raises(ValidationError, match="'route' is for TFLite, not for coreml"):
        VariantSection(backend="coreml", delegate="all", scheme="fp32", route="onnx2tf")
