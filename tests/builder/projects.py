"""Small projects for tests: a builder.toml with a real network, checkpoint and pictures in a temporary directory."""

from __future__ import annotations

from pathlib import Path

MODEL = '''
import torch

class Net(torch.nn.Module):
    """Depthwise, pointwise, residual and a 3x3 tail on 32x32 pictures."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.dw = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pw = torch.nn.Conv2d(8, 8, 1)
        self.tail = torch.nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.head(x))
        x = x + torch.relu(self.pw(self.dw(x)))
        return torch.sigmoid(self.tail(x))

def create():
    return Net()
'''

CONFIG = """
[model]
name = "small"
source = "model:create"
checkpoint = "small.safetensors"
licence = "Apache-2.0"

[[input]]
name = "image"
kind = "image"
shape = [1, 3, 32, 32]
range = [0.0, 1.0]

[[output]]
name = "out"
kind = "image"
range = [0.0, 1.0]

[data]
calibration = "calibration/*"
evaluation = "evaluation/*"

[[variant]]
backend = "tflite"
delegate = "xnnpack"
scheme = "fp32"

[[variant]]
backend = "tflite"
delegate = "xnnpack"
plan = "plan.toml"
"""

PLAN = """
[[rule]]
match = ".*"
scheme = "static_wi8_ai8"

[[rule]]
match = "head|tail"
scheme = "fp16"
"""


def write_pictures(folder: Path, count: int, seed: int, size: int = 32) -> None:
    """Smooth coloured pictures, all different."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8), "RGB")
        coarse.resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def make_project(folder: Path) -> Path:
    """Write the project and its checkpoint (seeded); returns the folder."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    (folder / "builder.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    write_pictures(folder / "calibration", 3, seed=1)
    write_pictures(folder / "evaluation", 2, seed=2)
    namespace: dict[str, object] = {}
    exec(compile(MODEL, "model.py", "exec"), namespace)
    torch.manual_seed(0)
    save_file(namespace["create"]().state_dict(), folder / "small.safetensors")  # type: ignore[operator]
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace exactly one occurrence in a text file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (old, text.count(old))
    path.write_text(text.replace(old, new), encoding="utf-8")
