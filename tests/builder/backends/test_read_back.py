"""Reading back, on every backend, where layers are hard to tell apart: equal class and last names, batch norms folded away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.backends import BACKENDS
from builder.graph.model import Model
from builder.precision.layers import list_layers
from builder.sources.batch_norm import fold_batch_norms
from tests.builder.models import expected, make_picture_model, plan_of, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters warn of their own and torch's deprecations

# By backend what the blocks of one branch get, and those of the other.
SCHEMES = {
    "tflite": ("static_wi8_ai8", "weight_only_wi4_afp32"),
    "coreml": ("palettized_w4", "weight_only_wi8_afp32"),
    "executorch": ("static_wi8_ai8", "fp16"),
}


class Block(nn.Module):
    """Two of these give litert-torch the same names: class and last segment, `Block;Conv2d_conv`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Alike(nn.Module):
    """Two branches of the same blocks, the second pair with weights equal before their batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.left, self.right = nn.Sequential(Block(), Block()), nn.Sequential(Block(), Block())
        self.right[1].conv.load_state_dict(self.left[1].conv.state_dict())
        self.tail = nn.Conv2d(8, 3, 1)
        for number, module in enumerate(m for m in self.modules() if isinstance(m, nn.BatchNorm2d)):
            module.running_mean = torch.rand(8) * 0.2
            module.running_var = torch.rand(8) * 0.5 + 0.5 + number

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image)
        return torch.sigmoid(self.tail(self.left(x) + self.right(x)))


@pytest.fixture(scope="module")
def alike() -> Model:
    model = make_picture_model(seeded(Alike), size=16)
    program = fold_batch_norms(model.program)
    return replace(model, program=program, layers=list_layers(program))


@pytest.mark.parametrize("name", BACKENDS)
def test_blocks_of_one_class_and_folded_norms_keep_their_own_schemes(alike: Model, name: str, tmp_path: Path) -> None:
    """Each layer's scheme is found under its own name though class and last name are equal and its weights hold a batch norm."""
    assert alike.layers.names() == ["head", "left.0.conv", "left.1.conv", "right.0.conv", "right.1.conv", "tail"]
    assert not any("batch_norm" in str(node.target) for node in alike.program.graph.nodes)
    backend, (one, other) = BACKENDS[name], SCHEMES[name]
    schemes = {
        "head": "fp32",
        "left.0.conv": one,
        "left.1.conv": other,
        "right.0.conv": other,
        "right.1.conv": one,
        "tail": "fp32",
    }
    path = tmp_path / f"alike{backend.SPEC.suffix}"
    plan, delegate = plan_of(schemes), backend.SPEC.delegates[0].name
    lowered = backend.lower(alike, plan, delegate, lambda: backend.observe(alike, samples(alike)), path)
    assert backend.read_back(path, alike) == schemes
    assert sorted(layer.scheme for layer in backend.read_stored_layers(path)) == sorted(schemes.values())
    sample = next(samples(alike, 1, seed=9))
    outputs = backend.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
    wanted = expected(alike, sample)["stylized"]
    assert np.abs(outputs["stylized"] - wanted).mean() < 0.05
