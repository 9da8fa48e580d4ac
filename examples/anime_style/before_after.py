"""Writes before_after.png: every evaluation picture and what the trained network makes of it."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from model import create  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from training.gallery import write_gallery  # noqa: E402

if __name__ == "__main__":
    network = create()
    network.load_state_dict(load_file(HERE / "anime_style_fp16.safetensors"))
    pictures = sorted((HERE.parent / "tiny_style" / "images" / "evaluation").glob("*.jpg"))
    write_gallery(network, pictures, HERE / "before_after.png", value_range=(-1.0, 1.0))
