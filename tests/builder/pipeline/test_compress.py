"""`builder compress` by its own processes: a project goes in, a smaller one that converts comes out, budgets decide, a kill loses nothing."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from safetensors.torch import save_file

from builder.bundle import Bundle
from builder.compression.result import CompressReport
from builder.errors import ConfigError, DataError
from builder.pipeline.compress import compress
from builder.pipeline.story import convert
from builder.project.config import load_config
from builder.sources import load_model
from builder.sources.own_code import find_own_callable
from builder.steps.listener import Silent
from tests.builder.projects import edit, make_project, write_pictures

SECTION = """
[compress]
stages = {stages}
budget = {{ {budget} }}
steps = {steps}
batch = 2
crop = 16
save_every_s = 0.01
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for a busy machine's processors spin
    return make_project(tmp_path / "project")


def ask(project: Path, stages: str, budget: str, steps: int = 2) -> Path:
    text = (project / "builder.toml").read_text(encoding="utf-8").split("[compress]")[0].rstrip()
    added = SECTION.format(stages=stages, budget=budget, steps=steps)
    (project / "builder.toml").write_text(f"{text}\n{added}", encoding="utf-8")
    return project / "builder.toml"


def command(config: Path, out: Path, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "builder", "compress", str(config), "-o", str(out), *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_smaller_network_is_an_ordinary_project_that_converts_as_trained(tmp_path: Path, project: Path) -> None:
    """prune, distill and qat in order; the result has fewer parameters, and its TFLite file holds the learned integers."""
    edit(project / "builder.toml", 'scheme = "fp32"', 'scheme = "fp16"')
    config = ask(project, '["prune", "distill", "qat"]', "max_parameters = 0.7")
    report = compress(config, out=tmp_path / "small", listener=Silent())
    assert report.met
    assert [stage.stage for stage in report.stages] == ["prune", "distill", "qat"]
    assert report.stages[-1].after.parameters <= 0.7 * report.teacher.parameters
    assert [stage.steps for stage in report.stages] == [0, 2, 2]
    assert all(cut.after < cut.before for cut in report.stages[0].cut)
    assert CompressReport.model_validate(json.loads((tmp_path / "small" / "compress.json").read_text())) == report
    page = (tmp_path / "small" / "compress.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 6
    assert load_config(tmp_path / "small").compress is None
    bundle = convert(tmp_path / "small", out=tmp_path / "bundle", listener=Silent())
    assert isinstance(bundle, Bundle)
    (variant,) = bundle.manifest.variants
    assert {layer.realised for layer in variant.layers} == {"as_trained"}
    assert variant.bytes == report.files[0].bytes


def test_convolutions_become_pairs_and_are_taught_by_a_loss_of_ones_own(tmp_path: Path, project: Path) -> None:
    """separable, then distill with `loss = "mine:loss"` beside builder.toml; the result is an ordinary project."""
    edit(project / "model.py", "padding=1, groups=8)", "padding=1)")
    network = find_own_callable(project, "model:create", what="the model", key="source")()
    save_file(network.state_dict(), project / "small.safetensors")
    (project / "mine.py").write_text(
        "def loss(got, want, batch):\n    return ((got - want) ** 2).mean()\n", encoding="utf-8"
    )
    config = ask(project, '["separable", "distill"]', "max_parameters = 0.9")
    config.write_text(config.read_text(encoding="utf-8") + 'loss = "mine:loss"\n', encoding="utf-8")
    report = compress(config, out=tmp_path / "small", listener=Silent())
    assert list(report.stages[0].replaced) == ["dw"]
    assert report.stages[1].after.parameters <= 0.9 * report.teacher.parameters
    assert "Depthwise and pointwise" in (tmp_path / "small" / "compress.html").read_text(encoding="utf-8")
    layers = load_model(load_config(tmp_path / "small"), tmp_path / "small").layers
    assert layers.names() == ["head", "dw.depthwise", "dw.pointwise", "pw", "tail"]


def test_a_budget_that_is_not_met_is_exit_5_with_the_nearest_points(tmp_path: Path, project: Path) -> None:
    """No project is written; what was reached stands in the message, in compress.json and on the page."""
    config = ask(project, '["prune"]', "max_parameters = 0.5, min_psnr_db = 90")
    run = command(config, tmp_path / "small")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 5, errors
    assert "dB on the worst sample instead of 90; nearest: the tflite file fp16" in errors
    assert "after prune:" in errors
    assert sorted(path.name for path in (tmp_path / "small").iterdir() if not path.name.startswith(".")) == [
        "compress.html",
        "compress.json",
    ]


def test_a_run_that_was_interrupted_goes_on_to_the_same_weights(tmp_path: Path, project: Path) -> None:
    """Ctrl-C in the middle of training is 130; --resume ends at the weights of the uninterrupted run."""
    whole = compress(ask(project, '["qat"]', "", steps=60), out=tmp_path / "whole", listener=Silent(), fresh=True)
    cache = tmp_path / "cache"
    for entry in (cache / "compress").iterdir():  # as if it had never been made
        entry.rename(tmp_path / f"kept-{entry.name}")
    run = command(project / "builder.toml", tmp_path / "small")
    states = cache / "compress-states"
    limit = time.monotonic() + 100
    while not list(states.glob("*/*.state")) and time.monotonic() < limit and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert "--resume" in errors
    assert list(states.glob("*/*.state"))
    resumed = compress(project / "builder.toml", out=tmp_path / "small", listener=Silent(), resume=True)
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "small"))
    assert one == other
    assert resumed.files == whole.files
    assert not list(states.glob("*/*.state"))


def test_a_run_that_was_killed_at_random_moments_goes_on_to_the_same_weights(tmp_path: Path, project: Path) -> None:
    """kill -9 three times, wherever it is: --resume ends at the weights of the run that nobody touched."""
    stages = '["prune", "distill", "qat"]'
    config = ask(project, stages, "max_parameters = 0.7", steps=150)
    compress(config, out=tmp_path / "whole", listener=Silent(), fresh=True)
    cache = tmp_path / "cache"
    for entry in (cache / "compress").iterdir():  # as if it had never been made
        entry.rename(tmp_path / f"kept-{entry.name}")
    moments, killed = random.Random(5), 0
    for number in range(3):
        run = command(config, tmp_path / "small", *(["--resume"] if number else []))
        limit = time.monotonic() + 60
        while not (cache / "compress-states").exists() and time.monotonic() < limit and run.poll() is None:
            time.sleep(0.02)
        try:
            run.wait(moments.uniform(0, 3))
        except subprocess.TimeoutExpired:
            run.kill()
            killed += 1
        run.communicate(timeout=60)
    assert killed
    compress(config, out=tmp_path / "small", listener=Silent(), resume=True)
    one, other = ((tmp_path / name / "model.pt2").read_bytes() for name in ("whole", "small"))
    assert read_state(one) == read_state(other)
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "small")]
    assert weights[0] == weights[1]


def read_state(program: bytes) -> dict[str, bytes]:
    """The tensors of a .pt2 by name of their entries; what else its archive holds has the time in it."""
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/weights/" in name}


@pytest.mark.parametrize(
    ("stages", "budget", "message"),
    [
        ('["distil"]', "", "distill"),
        ('["qat", "prune"]', "max_parameters = 0.5", "in this order"),
        ('["prune"]', "", "needs to know how far"),
        ('["qat"]', "max_parameters = 0.5", "only 'prune' takes parameters away"),
        ('["distill"]', "", "nothing makes one"),
        ("[]", "", "at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    project: Path, stages: str, budget: str, message: str
) -> None:
    """Unknown stages, another order, budgets that no stage meets."""
    with pytest.raises(ConfigError, match=message):
        load_config(ask(project, stages, budget))


def test_a_training_picture_of_the_evaluation_set_is_refused(tmp_path: Path, project: Path) -> None:
    """The one file in both sets is named."""
    config = ask(project, '["qat"]', "")
    edit(config, "[compress]", '[compress]\ndata = "photos/*"')
    write_pictures(project / "photos", 2, seed=5)
    (project / "photos" / "twin.png").write_bytes((project / "evaluation" / "0.png").read_bytes())
    with pytest.raises(DataError, match=r"twin\.png is also the evaluation file 0\.png"):
        compress(config, out=tmp_path / "small", listener=Silent())


def test_a_project_without_the_section_says_what_to_write(tmp_path: Path, project: Path) -> None:
    """And a directory that is the project itself is never written over."""
    with pytest.raises(ConfigError, match=r"has no \[compress\]"):
        compress(project / "builder.toml", out=tmp_path / "small", listener=Silent())
