"""Checkpoints under every usual ending, and factories that load their weights themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from builder.cli import main
from builder.errors import ConfigError
from builder.project.config import load_config
from builder.project.project import open_project
from builder.sources.checkpoint import load_module
from builder.steps.listener import Silent
from builder.steps.source import export_source
from tests.builder.projects import edit, make_project

OWN = """
from pathlib import Path

import torch
from safetensors.torch import load_file

from model import Net


def create():
    net = Net()
    net.load_state_dict(load_file("trained.weights"))
    return net
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A project whose factory reads a file that builder.toml does not name."""
    folder = make_project(tmp_path / "project")
    (folder / "small.safetensors").rename(folder / "trained.weights")
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    edit(folder / "builder.toml", 'source = "model:create"', 'source = "own:create"')
    edit(folder / "builder.toml", 'checkpoint = "small.safetensors"', 'checkpoint = "factory"')
    return folder


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.pth.tar", "w.ckpt", "pytorch_model.bin"])
def test_a_checkpoint_may_have_every_usual_ending(tmp_path: Path, name: str) -> None:
    """As trainers name them, with what trainers wrap around the weights."""
    folder = make_project(tmp_path / "project")
    weights = load_file(folder / "small.safetensors")
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in weights.items()}}, folder / name)
    edit(folder / "builder.toml", "small.safetensors", name)
    project = open_project(folder)
    loaded = load_module(project.folder, project.config).state_dict()
    assert all(
        torch.equal(loaded[next(key for key in loaded if key.endswith(name))], weights[name]) for name in weights
    )


def test_a_factory_that_loads_its_weights_needs_no_checkpoint(own: Path) -> None:
    """The file that it reads decides the result, and the bundle has a hash of its tensors."""
    project = open_project(own)
    first = export_source(project, Silent()).result
    weights = load_file(own / "trained.weights")
    weights["head.bias"] = weights["head.bias"] + 1
    save_file(weights, own / "trained.weights")
    second = export_source(open_project(own), Silent()).result
    assert first.weights_sha256 is not None
    assert second.weights_sha256 not in (None, first.weights_sha256)


def test_init_finds_that_the_factory_loads_its_weights(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a checkpoint beside it; one that draws its weights is refused with what to add."""
    (own / "builder.toml").unlink()
    assert main(["init", str(own / "own.py"), "-q"]) == 0
    assert load_config(own).model.checkpoint == "factory"
    (own / "builder.toml").unlink()
    capsys.readouterr()
    assert main(["init", str(own / "model.py"), "-q"]) == 2
    told = capsys.readouterr().err
    assert "builds another network each time" in told
    assert "name their file as 'checkpoint'" in told
    assert not (own / "builder.toml").exists()


def test_a_missing_checkpoint_names_both_ways(own: Path) -> None:
    """The file, or that the factory loads them."""
    edit(own / "builder.toml", 'checkpoint = "factory"\n', "")
    with pytest.raises(ConfigError, match=r"write checkpoint = \"factory\" where .own:create. loads them itself"):
        load_config(own)
