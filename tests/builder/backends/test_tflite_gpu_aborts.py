"""No file for the GPU delegate holds an operator on which the delegate ends the app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.backends import tflite
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.legalize import REWRITES
from builder.legalize.legalizer import legalize
from tests.builder.models import expected, make_picture_model, plan_of, rewrites_for, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own


class OneGroup(nn.Module):
    """A group norm over all channels by torch, then one written out."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
        self.norm = nn.GroupNorm(1, 6)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.head(image)))
        x = x - x.mean((1, 2, 3), keepdim=True)
        return self.tail(x * torch.rsqrt((x * x).mean((1, 2, 3), keepdim=True) + 1e-5))


def test_a_norm_over_all_channels_subtracts_as_many_channels_as_the_picture_has(tmp_path: Path) -> None:
    """`(1, H, W, C) - (1, 1, 1, 1)` aborts the process in TFLite 2.16.1 with OpenGL: it is written so that it is not there."""
    source = make_picture_model(seeded(OneGroup))
    program, _ = legalize(source.program, rewrites_for("tflite", "gpu"), REWRITES)
    path = tmp_path / "a.tflite"
    lowered = _lower(replace(source, program=program), path)
    assert tflite.coverage(path, "gpu").total_ops > 0
    sample = next(samples(source))
    got = tflite.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
    assert np.allclose(got["stylized"], expected(source, sample)["stylized"], atol=1e-4)


def test_a_file_that_would_end_the_app_is_refused(tmp_path: Path) -> None:
    """Without the rewrite the operator is in the file, and the sentence names it and the cure."""
    source = make_picture_model(seeded(OneGroup))
    names = [name for name in rewrites_for("tflite", "gpu") if name != "single_values"]
    program, _ = legalize(source.program, names, REWRITES)
    path = tmp_path / "a.tflite"
    _lower(replace(source, program=program), path)
    with pytest.raises(VerificationError, match=r"SUB .* ends the app; leave 'single_values' on"):
        tflite.coverage(path, "gpu")


def _lower(model: Model, path: Path) -> tflite.Lowered:
    return tflite.lower(model, plan_of(dict.fromkeys(model.layers.names(), "fp32")), "gpu", dict, path)
