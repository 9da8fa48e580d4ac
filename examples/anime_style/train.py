"""Trains anime_style: `python examples/anime_style/train.py`, and `--resume` to go on after an interruption."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import torch  # noqa: E402
from model import create  # noqa: E402
from training.command import run  # noqa: E402
from training.settings import Settings  # noqa: E402

# Finds the style; it was ended early because the content began to fade.
SKETCH = Settings(
    steps=3500,
    until=1100,
    batch=1,
    crop=96,
    seed=5,
    value_range=(-1.0, 1.0),
    warmup_steps=250,
    content_layer="block3",
    content_weight=1.0,
    tone_weight=40.0,
    style_layers=("stem", "block1", "block2", "block4"),
    style_weight=20.0,
    palette_weight=60.0,
    variation_weight=1.0,
    save_every=50,
)

# Brings the content back: finer content features, and more of them.
REFINE = replace(
    SKETCH,
    steps=700,
    until=None,
    seed=6,
    warmup_steps=0,
    content_layer="block2",
    content_weight=2.0,
    style_weight=15.0,
    variation_weight=0.3,
    save_every=25,
)

# Sharpens it and adds the colours that the lines alone do not carry.
DETAIL = replace(REFINE, steps=600, seed=7, content_weight=6.0, palette_weight=150.0)

# The long phase: the same aims on larger crops, so that strokes as wide as those of the painting are seen whole.
PAINT = replace(DETAIL, steps=1800, seed=8, crop=128, palette_weight=200.0, style_weight=25.0)

# The longest phase brings the colours: lines are found by now, so the palette may weigh more than anything else.
COLOUR = replace(PAINT, steps=3600, seed=9, palette_weight=1000.0, save_every=100)

if __name__ == "__main__":
    # fp16 halves the file that the repository keeps; prepare.py widens it.
    run(
        create,
        SKETCH,
        REFINE,
        DETAIL,
        PAINT,
        COLOUR,
        style=HERE / "style.png",
        checkpoint=HERE / "anime_style_fp16.safetensors",
        dtype=torch.float16,
    )
