"""fp16 ends at 65504: layers with larger values are computed in fp32 by the plan, the reason is recorded, and others stay as asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from builder.backends import coreml
from builder.backends.coreml.half_range import Reached, find_too_large, measure_reach, within_half
from builder.backends.coreml.options import CoreMLOptions, Io
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.pipeline.story import make_bundle
from builder.project.project import open_project
from builder.project.variants import choose_variants
from builder.steps.listener import Silent
from tests.builder.models import make_picture_model, plan_of, samples, seeded
from tests.builder.projects import CONFIG, MODEL, make_project

pytestmark = pytest.mark.filterwarnings("ignore")


class Loud(nn.Module):
    """A layer with values beyond fp16, made small again before the next, and a norm whose squares alone are beyond it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)
        self.loud = nn.Conv2d(4, 4, 1)
        self.norm = nn.InstanceNorm2d(4)
        self.tail = nn.Conv2d(4, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.norm(torch.relu(self.head(image)) * 1000)
        return torch.sigmoid(self.tail(self.loud(x) * 1e-6))


class Peak(nn.Module):
    """Only an operation between the layers is beyond fp16."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 1)
        self.tail = nn.Conv2d(4, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(torch.exp(self.head(image) + 12) * 1e-5))


def loud(factor: float) -> Model:
    torch.set_num_threads(1)
    network = seeded(Loud)
    with torch.no_grad():
        network.loud.weight.mul_(factor)  # type: ignore[union-attr, operator]
    return make_picture_model(network)


def known(model: Model, path: Path, io: Io = "tensors") -> dict[str, Reached]:
    plan = plan_of(dict.fromkeys(model.layers.names(), "fp16"))
    lowered = coreml.lower(model, plan, "all", dict, path, CoreMLOptions(io=io))
    return measure_reach(path, model, lowered, samples(model, 2))


@pytest.mark.parametrize("io", ["tensors", "images"])
def test_a_layer_beyond_fp16_is_kept_in_fp32(io: Io, tmp_path: Path) -> None:
    """It alone: its neighbours' values are small, and the squares inside a norm are computed in fp32 in any file."""
    model = loud(1e6)
    plan = plan_of(dict.fromkeys(model.layers.names(), "fp16"))
    kept, reasons = within_half(plan, known(model, tmp_path / "a.mlpackage", io))
    assert {layer: choice.scheme.name for layer, choice in kept.choices.items()} == {
        "head": "fp16",
        "loud": "fp32",
        "tail": "fp16",
    }
    assert list(reasons) == ["loud"]
    assert "fp16 ends at 65504" in reasons["loud"]
    coreml.lower(model, kept, "all", dict, tmp_path / "b.mlpackage", CoreMLOptions(io=io))
    assert coreml.read_back(tmp_path / "b.mlpackage", model)["loud"] == "fp32"


def test_a_norm_that_reads_values_beyond_fp16_is_kept_in_fp32(tmp_path: Path) -> None:
    """Where a rule gives it fp16, and it alone; what a rule gives fp32 needs no reason."""
    model = loud(1.0)
    model.program.state_dict["head.weight"].data.mul_(1000)
    seen = known(model, tmp_path / "a.mlpackage")
    floats = dict.fromkeys(model.layers.names(), "fp32")
    kept, reasons = within_half(plan_of({**floats, "norm": "fp16"}), seen, ["norm"])
    assert (kept.scheme("norm").name, list(reasons)) == ("fp32", ["norm"])
    assert within_half(plan_of({**floats, "norm": "fp32"}), seen, ["norm"])[1] == {}


def test_values_that_fit_change_nothing(tmp_path: Path) -> None:
    """A network of ordinary values keeps its plan."""
    model = loud(1.0)
    assert (
        find_too_large(plan_of(dict.fromkeys(model.layers.names(), "fp16")), known(model, tmp_path / "a.mlpackage"))
        == {}
    )


def test_an_operation_between_layers_counts_where_it_computes_in_fp16(tmp_path: Path) -> None:
    """With all layers in fp16 the layer before it gets fp32, and with it all that is between layers; else nothing is to do."""
    torch.set_num_threads(1)
    model = make_picture_model(seeded(Peak))
    seen = known(model, tmp_path / "a.mlpackage")
    assert list(find_too_large(plan_of({"head": "fp16", "tail": "fp16"}), seen)) == ["head"]
    assert find_too_large(plan_of({"head": "fp16", "tail": "fp32"}), seen) == {}


def test_a_layer_that_exists_in_fp16_only_is_refused(tmp_path: Path) -> None:
    """Palettes compute in fp16: the plan must name another scheme, and the error names the layer and the schemes."""
    model = loud(1e6)
    plan = plan_of({"head": "fp16", "loud": "palettized_w8", "tail": "fp16"})
    with pytest.raises(VerificationError, match=r"'loud' is asked for as palettized_w8.*weight_only_wi8_afp32 or fp32"):
        within_half(plan, known(model, tmp_path / "a.mlpackage"))


def test_the_manifest_says_what_was_kept_and_why(tmp_path: Path) -> None:
    """From builder.toml to the bundle: asked for in fp16, realised in fp32, with the value that says why."""
    make_project(tmp_path)
    code = MODEL.replace("self.pw(self.dw(x))", "self.pw(self.dw(x) * 1e6) * 1e-6")
    (tmp_path / "model.py").write_text(code, encoding="utf-8")
    variant = '[[variant]]\nbackend = "coreml"\ndelegate = "cpu_and_ne"\nscheme = "fp16"\nio = "images"\n'
    (tmp_path / "builder.toml").write_text(CONFIG.partition("[[variant]]")[0] + variant, encoding="utf-8")
    project = open_project(tmp_path)
    bundle = make_bundle(project, choose_variants(project.config, ()), Silent())
    made = bundle.manifest.variants[0]
    assert made.id == "coreml-cpu_and_ne-fp16-images"
    assert {binding.layout for binding in (*made.inputs, *made.outputs)} == {"image"}
    layers = {layer.layer: layer for layer in made.layers}
    assert (layers["pw"].requested, layers["pw"].realised) == ("fp16", "fp32")
    assert "fp16 ends at 65504" in (layers["pw"].fallback or "")
    assert (layers["head"].realised, layers["head"].fallback) == ("fp16", None)
    assert made.quality.psnr_db_worst > 45
