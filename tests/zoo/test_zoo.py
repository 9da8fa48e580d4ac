"""The networks of the zoo: weights that fit, a recipe that can be read, a card, and pictures that come nearer to the style and stay pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from builder.bundle import Bundle
from builder.bundle.tensors import make_pixels
from builder.graph.samples import read_sample
from builder.pipeline.story import convert
from builder.project.project import Project, open_project
from builder.quality.features import Features
from builder.quality.style import compute_feature_maps, measure_edges_kept, measure_gram_distance
from builder.sources import make_specs
from builder.sources.checkpoint import load_module
from builder.steps.listener import Silent
from builder.steps.train import find_style_pictures, list_photographs
from builder.training.run import read_style

ZOO = Path(__file__).resolve().parents[2] / "zoo"
NETWORKS = sorted(path.parent.name for path in ZOO.glob("*/builder.toml"))


@pytest.fixture(params=NETWORKS)
def project(request: pytest.FixtureRequest) -> Project:
    """Its weights are there, its data and its pictures are found, and nothing of evaluation is trained on."""
    return open_project(ZOO / request.param)


def test_every_network_has_a_recipe_and_a_card(project: Project) -> None:
    """The card names licence, style and data."""
    section = project.config.train
    assert section is not None
    assert list_photographs(project, section)
    card = (project.folder / "README.md").read_text(encoding="utf-8")
    for path in find_style_pictures(project, section):
        assert path.name in card
    for word in ("licence", "data", "builder train"):
        assert word in card.lower()


def test_pictures_come_nearer_to_the_style_and_stay_what_they_show(project: Project) -> None:
    """In Gram matrices by a third or more together; most edges stay where they were."""
    import torch

    section = project.config.train
    assert section is not None
    (style,) = (read_style(path, section.style_side) for path in find_style_pictures(project, section))
    inputs, (output, *_) = make_specs(project.config, project.folder, (project.config.input[0].shape,))
    network, features = load_module(project.folder, project.config), Features()
    with torch.no_grad():
        wanted = features.maps(style)
    distances, kept = [], []
    for file in project.data.evaluation:
        sample = read_sample(file.path, inputs)
        picture = torch.from_numpy(sample[inputs[0].name])
        with torch.no_grad():
            made = network(picture)
        before, after = (make_pixels(value.numpy(), output) / 255 for value in (picture, made))
        distances.append(
            [measure_gram_distance(compute_feature_maps(features, pixels), wanted) for pixels in (before, after)]
        )
        kept.append(measure_edges_kept(after, before))
    before, after = np.mean(distances, axis=0)
    assert after < 0.67 * before
    assert min(share for share in kept if share is not None) > 0.5


def test_tiny17_is_17_kb_of_integers(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The int8 file by the ranges that were learned: its bytes, its quality on the worst picture, and nothing left to the processor."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(shared_cache))
    bundle = convert(ZOO / "tiny17", out=tmp_path / "bundle", backends=["tflite"], listener=Silent())
    assert isinstance(bundle, Bundle)
    variant = next(each for each in bundle.manifest.variants if each.id == "tflite-xnnpack-int8")
    assert {layer.realised for layer in variant.layers} == {"static_wi8_ai8"}
    assert variant.bytes <= 17_000
    assert variant.quality is not None
    assert variant.quality.psnr_db_worst is not None
    assert variant.quality.psnr_db_worst >= 36


def test_every_style_picture_has_its_origin() -> None:
    """ORIGIN.md has a row for each file, and no row without one."""
    rows = re.findall(r"^\| ([\w.]+\.webp) \|", (ZOO / "styles" / "ORIGIN.md").read_text(encoding="utf-8"), re.M)
    assert sorted(rows) == sorted(path.name for path in (ZOO / "styles").glob("*.webp"))
