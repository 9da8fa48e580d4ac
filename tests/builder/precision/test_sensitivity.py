"""What a search knows without measuring: the simulated noise of layers, and which files execute the same instructions."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from builder.backends import tflite
from builder.backends.base import Lowered
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.realise import realise
from builder.backends.tflite.structure import hash_structure
from builder.bundle.tensors import measure_psnr_db
from builder.graph.model import Model
from builder.precision.plan import ResolvedPlan
from builder.precision.ranges import CalibrationSettings
from builder.precision.scheme import SCHEMES
from builder.precision.sensitivity import count_simulated_macs, estimate_sensitivities
from tests.builder.models import (
    Conditional,
    Mixed,
    expected,
    export,
    make_image_spec,
    make_picture_model,
    plan_of,
    samples,
    seeded,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own; the worker's log keeps them from users


@pytest.fixture(scope="module")
def mixed() -> Model:
    torch.set_num_threads(1)
    return make_picture_model(seeded(Mixed))


@pytest.fixture(scope="module")
def converted(mixed: Model) -> tuple[bytes, Lowered]:
    return to_float_file(mixed)


def written(path: Path, mixed: Model, converted: tuple[bytes, Lowered], plan: ResolvedPlan) -> Path:
    file, lowered = converted
    path.write_bytes(realise(file, mixed, plan, lambda: observe_file(file, lowered, samples(mixed))))
    return path


def test_simulated_noise_is_that_of_exported_files(
    mixed: Model, converted: tuple[bytes, Lowered], tmp_path: Path
) -> None:
    """Each layer alone in 8 bits, weights or all: the file of that plan is within 4 dB, and the loudest layer is the loudest."""
    sample = next(samples(mixed, 1, seed=99))
    wanted = expected(mixed, sample)["stylized"]
    span = float(wanted.max() - wanted.min())
    names = mixed.layers.names()
    for scheme in ("weight_only_wi8_afp32", "static_wi8_ai8"):
        found = estimate_sensitivities(
            mixed.program, mixed.layers, ["image"], sample, [SCHEMES[scheme]], lambda text: None
        )
        measured = []
        for name in names:
            plan = plan_of(dict.fromkeys(names, "fp32") | {name: scheme})
            path = written(tmp_path / "alone.tflite", mixed, converted, plan)
            got = tflite.runner(path, converted[1].inputs, converted[1].outputs, 1)(sample)["stylized"]
            measured.append(measure_psnr_db(got, wanted, span))
        simulated = [-10 * math.log10(noise) for noise in found[scheme]]
        assert simulated == pytest.approx(measured, abs=4)
        assert simulated.index(min(simulated)) == measured.index(min(measured))


def test_a_network_of_several_inputs_and_outputs_is_simulated() -> None:
    """Every output counts, relative to its own range; floats add nothing and are not simulated."""
    model = export(
        seeded(Conditional),
        (make_image_spec("image"), make_image_spec("style").model_copy(update={"kind": "vector", "shape": (1, 5)})),
        (make_image_spec("stylized"), make_image_spec("score").model_copy(update={"kind": "vector", "shape": (1, 2)})),
    )
    sample = next(samples(model, 1))
    schemes = [SCHEMES["fp16"], SCHEMES["dynamic_wi8_afp32"]]
    found = estimate_sensitivities(model.program, model.layers, ["image", "style"], sample, schemes, lambda text: None)
    assert found["fp16"] == (0.0,) * 4
    assert all(0 < noise < 0.01 for noise in found["dynamic_wi8_afp32"])
    macs = sum(layer.macs for layer in model.layers.layers)
    assert count_simulated_macs(model.layers, schemes) == macs / 2 * 4 * 2


def test_files_that_differ_in_ranges_and_biases_alone_execute_the_same(
    mixed: Model, converted: tuple[bytes, Lowered], tmp_path: Path
) -> None:
    """Other settings of a plan have its structure; another scheme on one layer has not."""

    def structure(schemes: dict[str, str], settings: CalibrationSettings) -> str:
        plan = plan_of(dict.fromkeys(mixed.layers.names(), "static_wi8_ai8") | schemes)
        given = ResolvedPlan(rules=(), choices=plan.choices, fallback=None, calibration=settings)
        return hash_structure(written(tmp_path / "made.tflite", mixed, converted, given))

    plain = structure({}, CalibrationSettings())
    for settings in (CalibrationSettings(ranges="mse"), CalibrationSettings(correct_biases=True)):
        assert structure({}, settings) == plain
    for scheme in ("fp16", "dynamic_wi8_afp32", "static_wi8_ai16"):
        assert structure({"pw": scheme}, CalibrationSettings()) != plain
