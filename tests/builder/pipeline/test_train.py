"""`builder train` by its own processes: a recipe goes in, a project that converts comes out; a kill loses nothing, two processes are as one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.errors import ConfigError, ConversionError, DataError
from builder.pipeline.story import convert
from builder.pipeline.train import Instead, train
from builder.project.config import load_config
from builder.steps.listener import Silent
from builder.training.result import TrainReport
from tests.builder.projects import edit, make_project, write_pictures

MODEL = """
import torch

def create(width=4):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, 3, 1), torch.nn.Sigmoid()
    )
"""
RECIPE = """
[train]
data = ["calibration/*"]
styles = ["style.png"]
steps = {steps}
batch = 2
crop = 16
style_side = 24
average = 0.9
save_every_s = 0.01
loss = {loss}
"""
LOSS = "{ tone = 1.0, palette = 1.0, variation = 0.1, edges = 0.1, identity = 0.1, temporal = 0.5 }"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network of three layers without weights, and its recipe."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for a busy machine's processors spin
    made = make_project(tmp_path / "project")
    (made / "model.py").write_text(MODEL, encoding="utf-8")
    (made / "small.safetensors").unlink()
    edit(made / "builder.toml", 'licence = "Apache-2.0"', 'licence = "Apache-2.0"\narguments = { width = 6 }')
    text = (made / "builder.toml").read_text(encoding="utf-8")
    (made / "builder.toml").write_text(text.rpartition("[[variant]]")[0], encoding="utf-8")
    write_pictures(made / "styles", 1, seed=3, size=40)
    (made / "styles" / "0.png").rename(made / "style.png")
    return ask(made)


def ask(project: Path, *, steps: int = 5, loss: str = LOSS) -> Path:
    text = (project / "builder.toml").read_text(encoding="utf-8").split("[train]")[0].rstrip()
    (project / "builder.toml").write_text(f"{text}\n{RECIPE.format(steps=steps, loss=loss)}", encoding="utf-8")
    return project


def command(project: Path, out: Path, *flags: str, processes: int = 1) -> subprocess.Popen[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *torchrun, "-m", "builder", "train", str(project), "-o", str(out), *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def weights(out: Path) -> bytes:
    return (out / "small.safetensors").read_bytes()


def test_what_is_trained_is_an_ordinary_project_that_converts(tmp_path: Path, project: Path) -> None:
    """By the command: builder.toml without the recipe, the code, weights, train.json and train.html; five steps."""
    ask(
        project,
        loss="{ content = 1.0, gram = { weight = 1.0, layers = ['stem'] }, statistics = 1.0, wasserstein = 1.0 }",
    )
    run = command(project, tmp_path / "out", "--json")
    output, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    report = TrainReport.model_validate(json.loads(output))
    assert report == TrainReport.model_validate_json((tmp_path / "out" / "train.json").read_text(encoding="utf-8"))
    assert report.steps == 5
    assert report.parameters == 3 * 6 * 9 + 6 + 6 * 3 + 3
    assert set(report.terms) == {"content", "gram", "statistics", "wasserstein"}
    page = (tmp_path / "out" / "train.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 1 + 2 * 2
    config = load_config(tmp_path / "out")
    assert config.train is None
    assert config.model.arguments == {"width": 6}
    assert isinstance(convert(tmp_path / "out", out=tmp_path / "bundle", listener=Silent()), Bundle)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path, project: Path) -> None:
    """Trained again, and with another seed; a style and photographs of one's own take the recipe's places."""
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        recipe = (project / "builder.toml").read_text(encoding="utf-8").partition("\nseed")[0]
        (project / "builder.toml").write_text(f"{recipe}\nseed = {seed}\n", encoding="utf-8")
        train(project, out=tmp_path / name, listener=Silent(), fresh=True)
    assert weights(tmp_path / "one") == weights(tmp_path / "again")
    assert weights(tmp_path / "one") != weights(tmp_path / "other")
    own = Instead(style=project / "calibration" / "0.png", data=str(project / "calibration" / "[12].png"))
    report = train(project, out=tmp_path / "own", listener=Silent(), instead=own)
    assert report is not None
    assert report.settings.styles == ("0.png",)
    assert report.pictures == 2
    assert weights(tmp_path / "own") != weights(tmp_path / "other")


def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path, project: Path) -> None:
    """Ctrl-C, then kill -9 wherever it is: --resume ends at the weights of the run that nobody touched."""
    ask(project, steps=150)
    train(project, out=tmp_path / "whole", listener=Silent())
    cache = tmp_path / "cache"
    for entry in (cache / "train").iterdir():  # as if it had never been made
        entry.rename(tmp_path / f"kept-{entry.name}")
    moments = random.Random(7)
    for number, how in enumerate((signal.SIGINT, signal.SIGKILL)):
        run = command(project, tmp_path / "out", *(["--resume"] if number else []))
        limit = time.monotonic() + 100
        while not list(cache.glob("train-states/*.state")) and time.monotonic() < limit and run.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.3))
        run.send_signal(how)
        _, errors = run.communicate(timeout=60)
        assert run.returncode in (130, -9), errors
        if how == signal.SIGINT:
            assert "go on with --resume" in errors
    report = train(project, out=tmp_path / "out", listener=Silent(), resume=True)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert report is not None
    assert len(report.losses) == 150
    assert not list(cache.glob("train-states/*.state"))


def test_two_processes_give_the_losses_of_one(tmp_path: Path, project: Path) -> None:
    """torchrun with gloo: every process takes half of each batch, one writes the project."""
    one = train(project, out=tmp_path / "one", listener=Silent())
    run = command(project, tmp_path / "two", processes=2)
    output, errors = run.communicate(timeout=200)
    assert run.returncode == 0, output + errors
    two = TrainReport.model_validate_json((tmp_path / "two" / "train.json").read_text(encoding="utf-8"))
    assert one is not None
    assert (one.processes, two.processes) == (1, 2)
    assert two.losses == pytest.approx(one.losses, abs=1e-5)


def test_several_styles_need_a_vector_that_mixes_them(tmp_path: Path, project: Path) -> None:
    """A network with an input [1, styles] is taught all of them; one without it is refused with the line to change."""
    edit(project / "builder.toml", 'styles = ["style.png"]', 'styles = ["style.png", "calibration/0.png"]')
    with pytest.raises(ConfigError, match=r"teaches 2 styles to a network that takes .* a vector \[1, 2\]"):
        train(project, out=tmp_path / "out", listener=Silent())
    (project / "model.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.head, self.style, self.tail = torch.nn.Conv2d(3, width, 1), torch.nn.Linear(2, width), torch.nn.Conv2d(width, 3, 1)\n"
        "    def forward(self, x, style):\n"
        "        return torch.sigmoid(self.tail(torch.relu(self.head(x) + self.style(style)[:, :, None, None])))\n"
        "def create(width):\n    return Net(width)\n",
        encoding="utf-8",
    )
    import numpy as np

    edit(
        project / "builder.toml",
        "[[output]]",
        '[[input]]\nname = "style"\nkind = "vector"\nshape = [1, 2]\n\n[[output]]',
    )
    edit(project / "builder.toml", '"evaluation/*"', '"evaluation/*.npz"')
    edit(project / "builder.toml", 'calibration = "calibration/*"\n', "")
    sample = {"image": np.zeros((1, 3, 32, 32), np.float32), "style": np.array([[1, 0]], np.float32)}
    np.savez(project / "evaluation" / "0.npz", **sample)  # type: ignore[arg-type]
    report = train(project, out=tmp_path / "out", listener=Silent())
    assert report is not None
    assert "palette" in report.terms


def test_what_cannot_be_trained_is_named_with_what_to_change(tmp_path: Path, project: Path) -> None:
    """No recipe, a picture of the evaluation set, no style, NaN."""

    def refuse(old: str, new: str, error: type[Exception], message: str) -> None:
        text = (project / "builder.toml").read_text(encoding="utf-8")
        edit(project / "builder.toml", old, new)
        with pytest.raises(error, match=message):
            train(project, out=tmp_path / "out", listener=Silent())
        (project / "builder.toml").write_text(text, encoding="utf-8")

    refuse('data = ["calibration/*"]\nstyles', 'data = ["eval*/*"]\nstyles', DataError, "evaluation must be held out")
    refuse('"style.png"', '"stile.png"', DataError, r"stile.png does not exist; correct 'styles' in \[train\]")
    refuse("palette = 1.0, ", "", ConfigError, "nothing teaches 'styles'")
    refuse('styles = ["style.png"]\n', "", ConfigError, "compare with a style: name its picture")
    refuse("average = 0.9", "averige = 0.9", ConfigError, "did you mean 'average'")
    (project / "model.py").write_text(
        MODEL.replace("torch.nn.Sigmoid()", "torch.nn.Threshold(1e9, float('nan'))"), encoding="utf-8"
    )
    with pytest.raises(ConversionError, match=r"'train' gave the loss nan at step 1; lower learning_rate in \[train\]"):
        train(project, out=tmp_path / "out", listener=Silent())
    text = (project / "builder.toml").read_text(encoding="utf-8")
    (project / "builder.toml").write_text(text.partition("[train]")[0], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no \[train\]"):
        train(project, out=tmp_path / "out", listener=Silent())
    assert os.environ.get("RANK") is None
