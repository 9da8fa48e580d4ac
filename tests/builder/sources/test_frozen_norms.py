"""Norms with fixed statistics: the same network where the statistics are the picture's own, and one that tiles may make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.errors import DataError, SourceError
from builder.graph.model import Model
from builder.graph.tiling import find_tiling
from builder.project.config import load_config
from builder.project.project import open_project
from builder.sources.frozen_norms import freeze_norms
from builder.steps.listener import Silent
from builder.steps.source import export_source
from tests.builder.models import expected, export, make_image_spec
from tests.builder.projects import edit, make_project, write_pictures

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, from within export

SIZE = 64
LAYERS = ["head", "middle", "styled", "tail"]


class Styled(nn.Module):
    """Instance and group norms, with parameters, without, and with a scale that the network computes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect", bias=False)
        self.first = nn.GroupNorm(2, 8)
        self.middle, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True)
        self.styled, self.style = nn.Conv2d(8, 8, 1), nn.Parameter(torch.rand(8))
        self.tail = nn.Conv2d(8, 3, 1)
        for norm in (self.first, self.second):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(self.head(x)))
        x = F.relu(self.second(self.middle(x)))
        x = F.instance_norm(self.styled(x), weight=self.style.abs())
        return torch.sigmoid(self.tail(F.relu(x)))


def pictures(folder: Path, count: int) -> list[Path]:
    write_pictures(folder, count, seed=1, size=SIZE)
    return sorted(folder.iterdir())


def model() -> Model:
    return export(Styled(), (make_image_spec("image", SIZE),), (make_image_spec("out", SIZE),))


def test_with_the_statistics_of_one_picture_that_picture_comes_out_the_same(tmp_path: Path) -> None:
    """All three norms are fixed, two of them folded away, and layers keep their names."""
    (only,) = pictures(tmp_path / "one", 1)
    before = model()
    frozen, facts = freeze_norms(before, [only], [only])
    assert (facts.norms, facts.samples) == (3, 1)
    assert facts.psnr_db_worst > 100
    assert frozen.layers.names() == before.layers.names() == LAYERS
    targets = [str(node.target) for node in frozen.program.graph.nodes]
    assert not any("instance_norm" in name or "group_norm" in name for name in targets)
    assert sum("batch_norm" in name for name in targets) == 1
    assert {"head.bias"} <= set(frozen.program.state_dict)


def test_a_frozen_network_is_made_of_tiles_and_its_distance_is_told(tmp_path: Path) -> None:
    """Before, tiles are refused with the setting that would allow them; after, no seam is seen. Other pictures differ."""
    files = pictures(tmp_path / "some", 4)
    before = model()
    sample = {"image": np.random.default_rng(3).random((1, 3, SIZE, SIZE), np.float32)}
    refused = find_tiling(before.program, before.inputs, before.outputs, sample["image"])
    assert not refused.allowed
    assert "freeze_norms = true" in (refused.reason or "")
    frozen, facts = freeze_norms(before, files[:3], files[3:])
    assert facts.samples == 3
    assert 10 < facts.psnr_db_worst < 60
    assert not np.array_equal(expected(before, sample)["out"], expected(frozen, sample)["out"])
    allowed = find_tiling(frozen.program, frozen.inputs, frozen.outputs, sample["image"])
    assert allowed.allowed, allowed.reason
    assert allowed.overlap == 2


def test_what_cannot_be_frozen_is_told(tmp_path: Path) -> None:
    """A network without such norms, and a project without calibration data."""
    plain = export(nn.Conv2d(3, 3, 1), (make_image_spec("image", SIZE),), (make_image_spec("out", SIZE),))
    files = pictures(tmp_path / "some", 1)
    with pytest.raises(SourceError, match="finds no instance norm and no group norm"):
        freeze_norms(plain, files, files)
    folder = make_project(tmp_path / "project")
    edit(folder / "builder.toml", 'calibration = "calibration/*"', "")
    with (folder / "builder.toml").open("a") as file:
        file.write("\n[legalize]\nfreeze_norms = true\n")
    assert load_config(folder).legalize.freeze_norms
    with pytest.raises(DataError, match="set 'calibration' in \\[data\\]"):
        export_source(open_project(folder), Silent())
