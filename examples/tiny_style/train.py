"""Trains tiny_style: `python examples/tiny_style/train.py`, and `--resume` to go on after an interruption."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from model import create  # noqa: E402
from training.command import run  # noqa: E402
from training.settings import Settings  # noqa: E402

SETTINGS = Settings(
    steps=1200,
    batch=2,
    crop=96,
    seed=3,
    value_range=(0.0, 1.0),
    warmup_steps=150,
    content_layer="block2",
    content_weight=0.5,
    tone_weight=40.0,
    style_layers=("stem", "block1", "block2"),
    style_weight=15.0,
    palette_weight=120.0,
)

if __name__ == "__main__":
    run(create, SETTINGS, style=HERE / "style.png", checkpoint=HERE / "tiny_style.safetensors")
