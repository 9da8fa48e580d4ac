"""Condition inputs that calibration does not cover are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builder.project.condition_inputs import find_uncovered
from builder.project.config import InputSection
from builder.project.data import DataFile, DataSets

IMAGE = InputSection(name="image", kind="image", shape=(1, 3, 8, 8), range=(0.0, 1.0))
STYLE = InputSection(name="style", kind="vector", shape=(1, 5))
INDEX = InputSection(name="style", kind="tensor", dtype="int64", shape=(1,))


def files(folder: Path, name: str, values: list[np.ndarray]) -> tuple[DataFile, ...]:  # type: ignore[type-arg]
    made = []
    for number, value in enumerate(values):
        path = folder / f"{name}{number}.npz"
        np.savez(path, image=np.zeros((1, 3, 8, 8), np.float32), style=value)
        made.append(DataFile(path=path, sha256=f"{name}{number}"))
    return tuple(made)


def hot(*places: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.eye(5, dtype=np.float32)[place][None] for place in places]


def index(*values: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.array([value]) for value in values]


def vectors(*seeds: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.random.default_rng(seed).random((1, 5), np.float32) for seed in seeds]


@pytest.mark.parametrize(
    ("section", "calibration", "evaluation", "named"),
    [
        (STYLE, hot(0, 1, 3), hot(1), "2, 4 of the condition input 'style'"),
        (STYLE, hot(0, 1, 2, 3, 4), hot(1), None),
        (INDEX, index(0, 1, 2), index(1, 7, 25), "7, 25 of the condition input 'style'"),
        (INDEX, index(0, 1, 2), index(1), None),
        (STYLE, vectors(1, 2, 1), vectors(2, 3), "the value of evaluation1.npz of the condition input 'style'"),
        (STYLE, vectors(1, 2, 4), vectors(2, 3), None),
    ],
)
def test_values_that_calibration_leaves_out_are_named(
    tmp_path: Path,
    section: InputSection,
    calibration: list[np.ndarray],  # type: ignore[type-arg]
    evaluation: list[np.ndarray],  # type: ignore[type-arg]
    named: str | None,
) -> None:
    """Positions of one-hot vectors, indices and repeated vectors; vectors that never repeat are continuous."""
    data = DataSets(
        calibration=files(tmp_path, "calibration", calibration), evaluation=files(tmp_path, "evaluation", evaluation)
    )
    found = find_uncovered(data, (IMAGE, section))
    assert len(found) == (named is not None)
    if named is not None:
        assert f"calibration leaves out {named}" in found[0]


MODEL = '''
import torch

class Net(torch.nn.Module):
    """A picture whose colours a style moves."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 1)
        self.style = torch.nn.Linear(5, 3)

    def forward(self, image, style):
        return torch.sigmoid(self.conv(image) + self.style(style)[:, :, None, None])

def create():
    torch.manual_seed(0)
    return Net()
'''
CONFIG = """
[model]
name = "conditional"
source = "model:create"
checkpoint = "net.safetensors"
licence = "Apache-2.0"
[[input]]
name = "image"
kind = "image"
shape = [1, 3, 8, 8]
range = [0.0, 1.0]
[[input]]
name = "style"
kind = "vector"
shape = [1, 5]
[[output]]
name = "out"
kind = "tensor"
[data]
calibration = "calibration*.npz"
evaluation = "evaluation*.npz"
[[variant]]
backend = "executorch"
delegate = "xnnpack"
scheme = "fp32"
"""


def test_the_command_line_warns_each_time_and_goes_on(tmp_path: Path) -> None:
    """`builder plan` names the styles on stderr, also when the data was looked at before; stdout stays one document."""
    from safetensors.torch import save_file

    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "builder.toml").write_text(CONFIG)
    namespace: dict[str, object] = {}
    exec(compile(MODEL, "model.py", "exec"), namespace)
    save_file(namespace["create"]().state_dict(), tmp_path / "net.safetensors")  # type: ignore[operator]
    files(tmp_path, "calibration", hot(0, 1))
    files(tmp_path, "evaluation", [np.eye(5, dtype=np.float32)[1][None] + 0])
    np.savez(tmp_path / "evaluation0.npz", image=np.ones((1, 3, 8, 8), np.float32), style=hot(1)[0])
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "builder", "plan", str(tmp_path), "--json"],
            capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "EDGEBUNDLE_CACHE": str(tmp_path / "cache")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "warning: calibration leaves out 2, 3, 4 of the condition input 'style'" in " ".join(done.stderr.split())
        json.loads(done.stdout)["variants"]
