"""The figures that the tiny_style example is held to, on its trained weights and its held-out pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.backends import tflite
from builder.backends.base import Lowered
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.realise import realise
from builder.bundle.tensors import find_peak, measure_psnr_db
from builder.graph.model import Model
from builder.graph.samples import read_samples
from builder.precision.plan import load_plan, make_uniform_plan, resolve
from builder.project.config import load_config
from builder.project.data import DataSets, find_data
from builder.sources import load_model
from tests.builder.models import expected

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "tiny_style"
INT8_BYTES = 17_000

Converted = tuple[Model, DataSets, bytes, Lowered]


@pytest.fixture(scope="module")
def tiny() -> Converted:
    config = load_config(FOLDER / "builder.toml")
    model = load_model(config, FOLDER)
    return model, find_data(config, FOLDER), *to_float_file(model)


def measure_worst_psnr(tiny: Converted, path: Path) -> float:
    model, data, _, lowered = tiny
    run = tflite.runner(path, lowered.inputs, lowered.outputs, 2)
    spec = model.outputs[0]
    results = []
    for sample in read_samples(tuple(file.path for file in data.evaluation), model.inputs):
        wanted = expected(model, sample)[spec.name]
        results.append(measure_psnr_db(run(sample)[spec.name], wanted, find_peak(spec, wanted)))
    return min(results)


def test_fp32_agrees_with_pytorch_to_100_db_on_every_evaluation_picture(tiny: Converted, tmp_path: Path) -> None:
    """Float32 differs from the source only by the order of its sums."""
    model, _, file, _ = tiny
    path = tmp_path / "fp32.tflite"
    path.write_bytes(realise(file, model, resolve(make_uniform_plan("fp32"), model.layers, where="test"), dict))
    assert measure_worst_psnr(tiny, path) >= 100
    assert tflite.coverage(path, "xnnpack").left == ()


def test_the_int8_artifact_of_the_examples_plan_is_small_and_recognisable(tiny: Converted, tmp_path: Path) -> None:
    """Every convolution is int8 by the example's plan.toml, within 17 KB, all of it taken by XNNPACK."""
    model, data, file, lowered = tiny
    plan = resolve(load_plan(FOLDER / "plan.toml"), model.layers, where="plan.toml")
    path = tmp_path / "int8.tflite"
    pictures = tuple(picture.path for picture in data.calibration)
    path.write_bytes(
        realise(file, model, plan, lambda: observe_file(file, lowered, read_samples(pictures, model.inputs)))
    )
    assert path.stat().st_size <= INT8_BYTES
    assert tflite.read_back(path, model) == dict.fromkeys(model.layers.names(), "static_wi8_ai8")
    assert tflite.coverage(path, "xnnpack").left == ()
    assert measure_worst_psnr(tiny, path) >= 28
