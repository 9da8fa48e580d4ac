"""Writes the calibration and evaluation pictures of the examples: `python examples/image_sets.py`, always the same pixels."""

from __future__ import annotations

from pathlib import Path

from training.image_sets import write_image_sets

HERE = Path(__file__).resolve().parent
SIZES = {"tiny_style": 256, "efficientnet_lite0": 224}

if __name__ == "__main__":
    for example, size in SIZES.items():
        write_image_sets(HERE / example / "images", size=size)
