"""Equalization keeps the function and bias correction keeps the means, both on files that were exported and run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.backends import BACKENDS, executorch
from builder.backends.base import Lowered
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.realise import realise
from builder.bundle.tensors import measure_psnr_db
from builder.errors import ConversionError
from builder.graph.model import Model
from builder.precision.biases import compute_bias_change, correct_biases, round_weight
from builder.precision.equalize import equalize, find_pairs
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import CalibrationSettings
from builder.precision.scheme import SCHEMES
from tests.builder.models import SIZE, expected, make_picture_model, plan_of, samples

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own; the worker's log keeps them from users


class Uneven(nn.Module):
    """Channels of very different size between two convolutions, a leaky ReLU between them, and a branch that has to stay."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.dw = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pw = nn.Conv2d(8, 8, 1)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            sizes = torch.tensor([1e-2, 1e-1, 1, 1, 2, 4, 10, 30])
            self.dw.weight *= sizes.reshape(-1, 1, 1, 1)
            self.dw.bias *= sizes
            self.pw.weight /= sizes.reshape(1, -1, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.head(image))
        x = x + torch.relu(self.pw(nn.functional.leaky_relu(self.dw(x), 0.2)))
        return torch.sigmoid(self.tail(x))


@pytest.fixture(scope="module")
def uneven() -> Model:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return make_picture_model(Uneven())


def settled(model: Model, scheme: str, **settings: object) -> ResolvedPlan:
    plan = plan_of(dict.fromkeys(model.layers.names(), scheme))
    return replace(plan, calibration=CalibrationSettings.model_validate(settings))


_FILES: dict[int, tuple[bytes, Lowered]] = {}


def make_float_file(model: Model) -> tuple[bytes, Lowered]:
    """Its fp32 TFLite file, made once: the slow part."""
    if id(model) not in _FILES:
        _FILES[id(model)] = to_float_file(model)
    return _FILES[id(model)]


def quality(name: str, model: Model, plan: ResolvedPlan, folder: Path, *, reference: Model) -> float:
    """PSNR of the exported file against the source network, over samples that were not calibrated with."""
    backend = BACKENDS[name]
    if plan.calibration.correct_biases and name != "tflite":
        program = correct_biases(model.program, model.layers, plan, backend.observe(model, samples(model)))
        model = replace(model, program=program)
    path = folder / f"a{backend.SPEC.suffix}"
    if name == "tflite":
        file, lowered = make_float_file(model)
        path.write_bytes(realise(file, model, plan, lambda: observe_file(file, lowered, samples(model))))
    else:
        lowered = backend.lower(
            model, plan, backend.SPEC.delegates[0].name, lambda: backend.observe(model, samples(model)), path
        )
    assert backend.read_back(path, model) == {n: c.scheme.name for n, c in plan.choices.items()}
    runner = backend.runner(path, lowered.inputs, lowered.outputs, 1)
    noise = [
        10 ** (-measure_psnr_db(runner(sample)["stylized"], expected(reference, sample)["stylized"], 1.0) / 10)
        for sample in samples(model, 3, seed=99)
    ]
    return float(-10 * np.log10(np.mean(noise)))


def test_only_layers_without_a_branch_between_them_are_equalized(uneven: Model) -> None:
    """The depthwise convolution and the one after its leaky ReLU; nothing around the sum."""
    assert [(a.name, b.name) for a, b in find_pairs(uneven.program)] == [("conv2d_1", "conv2d_2")]


def test_equalization_changes_weights_and_not_the_function(uneven: Model, even: Model) -> None:
    """Float outputs agree; the weights of the pair do not."""
    sample = next(samples(uneven, 1))
    before, after = (expected(model, sample)["stylized"] for model in (uneven, even))
    assert np.abs(before - after).max() < 1e-5
    moved = {
        name
        for name, value in uneven.program.state_dict.items()
        if not torch.equal(value, even.program.state_dict[name])
    }
    assert moved == {"dw.weight", "dw.bias", "pw.weight"}


@pytest.fixture(scope="module")
def even(uneven: Model) -> Model:
    return replace(uneven, program=equalize(uneven.program))


@pytest.mark.parametrize("name", ["tflite", "executorch"])
def test_equalization_helps_static_int8_of_uneven_channels(
    name: str, uneven: Model, even: Model, tmp_path: Path
) -> None:
    """The exported int8 file is at least 3 dB nearer to the source network."""
    plan = settled(uneven, "static_wi8_ai8")
    before = quality(name, uneven, plan, tmp_path, reference=uneven)
    assert quality(name, even, plan, tmp_path, reference=uneven) > before + 3


@pytest.mark.parametrize(("name", "scheme"), [("tflite", "weight_only_wi4_afp32"), ("coreml", "weight_only_wi4_afp32"), ("executorch", "static_wi8_ai8")])  # fmt: skip
def test_corrected_biases_are_in_the_file_and_do_not_hurt(
    name: str, scheme: str, uneven: Model, tmp_path: Path
) -> None:
    """4-bit weights gain; 8-bit ones lose nothing that counts."""
    plan = settled(uneven, scheme)
    if name == "tflite":  # it has no 4-bit depthwise kernel
        plan = replace(plan, choices={**plan.choices, "dw": replace(plan.choices["dw"], scheme=SCHEMES["fp32"])})
    before = quality(name, uneven, plan, tmp_path, reference=uneven)
    after = quality(
        name, uneven, replace(plan, calibration=CalibrationSettings(correct_biases=True)), tmp_path, reference=uneven
    )
    assert after > before + (1 if "wi4" in scheme else -0.5)


def test_the_change_of_a_bias_is_what_rounding_moves_the_mean_by(uneven: Model) -> None:
    """With constant channels the correction is exact, for grouped convolutions too."""
    for name in ("head", "dw", "pw"):
        layer = uneven.layers[name]
        weight = uneven.weight(layer)
        channels = weight.shape[1] * (8 if name == "dw" else 1)
        means = np.linspace(-1, 2, channels)
        change = compute_bias_change(weight, layer, SCHEMES["weight_only_wi4_afp32"], means)
        assert change is not None
        error = round_weight(weight, layer, SCHEMES["weight_only_wi4_afp32"]) - weight
        inputs = means if name != "dw" else means[:, None]
        wanted = -(error.sum(axis=(2, 3)) * inputs).sum(axis=1)
        assert np.allclose(change, wanted)


def test_a_layer_that_samples_never_reach_is_named(uneven: Model, tmp_path: Path) -> None:
    """Black pictures are refused with the layer whose range they leave empty."""
    plan = settled(uneven, "static_wi8_ai8")
    black = {"image": np.zeros((1, 3, SIZE, SIZE), np.float32)}
    file, lowered = make_float_file(uneven)
    message = "nothing but zero at the input of layer 'head'"
    with pytest.raises(ConversionError, match=message):
        realise(file, uneven, plan, lambda: observe_file(file, lowered, [black]))
    with pytest.raises(ConversionError, match=message):
        executorch.lower(uneven, plan, "xnnpack", lambda: executorch.observe(uneven, [black]), tmp_path / "a.pte")
    assert not (tmp_path / "a.pte").exists()
