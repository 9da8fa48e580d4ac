"""Prints the three likeliest classes of every evaluation picture: `python examples/efficientnet_lite0/classify.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from model import create  # noqa: E402
from training.command import read_picture  # noqa: E402

if __name__ == "__main__":
    network = create().eval()
    network.load_state_dict(load_file(HERE / "efficientnet_lite0.safetensors"))
    labels = (HERE / "labels.txt").read_text(encoding="utf-8").splitlines()
    for path in sorted((HERE / "images" / "evaluation").glob("*.jpg")):
        with torch.no_grad():
            likely = network((read_picture(path) * 255.0 - 127.0) / 128.0).softmax(1)[0].topk(3)
        names = [
            f"{labels[index]} {share:.2f}"
            for share, index in zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
        ]
        print(f"{path.name}: {', '.join(names)}")
