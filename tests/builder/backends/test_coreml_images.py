"""Core ML files with pictures at their borders: scale, bias and order of colours are in the file, and right to the pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from builder.backends import coreml
from builder.backends.base import Lowered
from builder.backends.borders import make_logical
from builder.backends.coreml import convert
from builder.backends.coreml.options import CoreMLOptions
from builder.backends.coreml.package import MODEL
from builder.backends.coreml.program import load_spec, read_colours
from builder.bundle.tensors import make_pixels, make_tensor
from builder.errors import ConfigError, VerificationError
from builder.graph.model import Model
from builder.plan_search.trials import Exporter
from builder.project.budgets import SearchSection
from builder.project.config import VariantSection
from tests.builder.models import Mixed, expected, make_picture_model, plan_of, seeded

pytestmark = pytest.mark.filterwarnings("ignore")

IMAGENET: dict[str, object] = {"range": None, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SCALES: dict[str, dict[str, object]] = {
    "0..1": {},
    "-1..1": {"range": (-1.0, 1.0)},
    "0..255": {"range": (0.0, 255.0)},
    "mean and std": IMAGENET,
    "BGR": {"color_order": "BGR"},
    "BGR with mean and std": {**IMAGENET, "color_order": "BGR"},
}


def scaled(changes: dict[str, object]) -> Model:
    """`Mixed` with another meaning of its pictures' values."""
    torch.set_num_threads(1)
    model = make_picture_model(seeded(Mixed))
    inputs, outputs = (
        tuple(spec.model_copy(update=changes) for spec in specs) for specs in (model.inputs, model.outputs)
    )
    return replace(model, inputs=inputs, outputs=outputs)


def lowered(model: Model, path: Path, scheme: str = "fp32", **options: Any) -> Lowered:
    asked = CoreMLOptions.model_construct(io="images", **options)  # of systems that builder.toml refuses too
    return coreml.lower(model, plan_of(dict.fromkeys(model.layers.names(), scheme)), "all", dict, path, asked)


def pictures(model: Model, path: Path, made: Lowered) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pixels that the file gives for a colourful picture, and those of the source network."""
    spec = model.inputs[0]
    pixels = np.random.default_rng(5).integers(0, 256, (*spec.shape[2:], 3), np.uint8)
    sample = {spec.name: make_tensor(pixels, spec)}
    runner = coreml.runner(path, made.inputs, made.outputs, 1)
    got = make_logical(runner, made.inputs, made.outputs, (*model.inputs, *model.outputs))(sample)
    out = model.outputs[0]
    return make_pixels(got[out.name], out), make_pixels(expected(model, sample)[out.name], out)


@pytest.mark.parametrize("changes", SCALES.values(), ids=SCALES)
def test_pictures_go_in_and_come_out(changes: dict[str, object], tmp_path: Path) -> None:
    """Every scale and order of colours gives the source's own pixels, and the file itself says that it takes pictures."""
    model = scaled(changes)
    made = lowered(model, tmp_path / "a.mlpackage")
    order = changes.get("color_order", "RGB")
    assert read_colours(tmp_path / "a.mlpackage") == {"image": order, "stylized": order}
    assert {binding.layout for binding in (*made.inputs, *made.outputs)} == {"image"}
    got, wanted = pictures(model, tmp_path / "a.mlpackage", made)
    assert len(np.unique(wanted)) > 1  # a picture, not one colour
    assert np.array_equal(got, wanted)


def test_half_precision_keeps_the_levels(tmp_path: Path) -> None:
    """In fp16 no level is off by more than one, and compressed layers are still found by their weights."""
    model = scaled(IMAGENET)
    made = lowered(model, tmp_path / "a.mlpackage", "palettized_w8")
    assert set(coreml.read_back(tmp_path / "a.mlpackage", model).values()) == {"palettized_w8"}
    made = lowered(model, tmp_path / "b.mlpackage", "fp16")
    got, wanted = pictures(model, tmp_path / "b.mlpackage", made)
    assert np.abs(got.astype(int) - wanted).max() <= 1


def test_a_wrong_order_of_colours_is_seen(tmp_path: Path) -> None:
    """A file that says BGR where the network takes RGB gives other pixels: verification sees what a phone would show."""
    model, path = scaled({}), tmp_path / "a.mlpackage"
    made = lowered(model, path)
    spec = load_spec(path)
    spec.description.input[0].type.imageType.colorSpace = 30
    (path / MODEL).write_bytes(spec.SerializeToString(deterministic=True))
    got, wanted = pictures(model, path, made)
    assert not np.array_equal(got, wanted)


def test_the_black_picture_is_refused(tmp_path: Path) -> None:
    """An image output that holds 0..1, the classic black picture, is an error and not a dark picture."""
    model, path = scaled({}), tmp_path / "a.mlpackage"
    made = coreml.lower(model, plan_of(dict.fromkeys(model.layers.names(), "fp32")), "all", dict, path)
    images = tuple(binding.model_copy(update={"layout": "image"}) for binding in made.outputs)
    runner = coreml.runner(path, made.inputs, images, 1)
    with pytest.raises(VerificationError, match=r"no whole numbers of 0\.\.255"):
        runner({"image": np.full(model.inputs[0].shape, 0.5, np.float32)})


def test_the_deployment_target_is_in_the_file(tmp_path: Path) -> None:
    """Without one the oldest system that can; with one, that system."""
    model = scaled({})
    lowered(model, tmp_path / "a.mlpackage")
    lowered(model, tmp_path / "b.mlpackage", deployment_target="iOS17")
    assert coreml.read_minimum_runtime(tmp_path / "a.mlpackage") == "iOS 16"
    assert coreml.read_minimum_runtime(tmp_path / "b.mlpackage") == "iOS 17"


def test_a_deployment_target_that_a_scheme_needs_raised(tmp_path: Path) -> None:
    """4-bit linear weights came with iOS 18: an older target is refused with the line to change."""
    with pytest.raises(ConfigError, match=r'needs iOS18, .* set deployment_target = "iOS18"'):
        lowered(scaled({}), tmp_path / "a.mlpackage", "weight_only_wi4_afp32", deployment_target="iOS17")


def test_a_search_leaves_out_schemes_that_the_target_has_not() -> None:
    """With an older target 4-bit linear weights are no candidate; palettes are."""
    model = make_picture_model(seeded(Mixed))
    source: Any = SimpleNamespace(result=SimpleNamespace(layers=model.layers))
    goal = SearchSection(objective="psnr", max_bytes="20 KB")
    section = VariantSection(backend="coreml", delegate="all", search=goal, deployment_target="iOS17")
    project: Any = None
    run: Any = None
    trials = Exporter(project=project, source=source, section=section, run=run)
    names = model.layers.names()
    assert not trials.is_allowed(("weight_only_wi4_afp32",) * len(names))
    assert trials.is_allowed(("palettized_w4",) * len(names))


class Unshuffled(torch.nn.Module):
    """Uses an op that came with iOS 16."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_shuffle(torch.nn.functional.pixel_unshuffle(image, 2), 2)


def test_a_deployment_target_that_an_op_needs_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that an op is too new for is refused with the line to change; where none is asked for, the op decides."""
    model = make_picture_model(Unshuffled())
    with pytest.raises(ConfigError, match=r"'pixel_unshuffle' needs iOS16 .* set deployment_target = \"iOS16\""):
        lowered(model, tmp_path / "a.mlpackage", deployment_target="iOS15")
    monkeypatch.setattr(convert, "find_oldest_system", lambda plan: "iOS15")
    lowered(model, tmp_path / "b.mlpackage")
    assert coreml.read_minimum_runtime(tmp_path / "b.mlpackage") == "iOS 16"
