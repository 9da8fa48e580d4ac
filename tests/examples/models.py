"""The example networks, loaded from their folders as the builder loads them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import nn

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EVALUATION = EXAMPLES / "tiny_style" / "images" / "evaluation"

CHECKPOINTS = {
    "tiny_style": EXAMPLES / "tiny_style" / "tiny_style.safetensors",
    "anime_style": EXAMPLES / "anime_style" / "anime_style_fp16.safetensors",
}
"""The weights that the repository keeps."""

RANGES = {"tiny_style": (0.0, 1.0), "anime_style": (-1.0, 1.0)}


def create(example: str) -> nn.Module:
    """The network of `examples/<example>/model.py`, without weights."""
    spec = importlib.util.spec_from_file_location(f"{example}_model", EXAMPLES / example / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.create()
    return network


def trained(example: str) -> nn.Module:
    """The network with the weights that the repository keeps, in evaluation mode."""
    from safetensors.torch import load_file

    network = create(example)
    network.load_state_dict(load_file(CHECKPOINTS[example]))
    return network.eval()
