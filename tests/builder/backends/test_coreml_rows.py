"""Convolutions over rows in Core ML files: layers with their schemes, as those of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from builder.backends import BACKENDS
from builder.backends.coreml.realise import read_realised
from builder.bundle import TensorSpec
from builder.graph.model import Model
from builder.legalize.at_source import make_plain
from builder.precision.layers import list_layers
from tests.builder.models import plan_of

pytestmark = pytest.mark.filterwarnings("ignore")  # the converter's own


@pytest.mark.parametrize("scheme", ["fp32", "fp16", "weight_only_wi8_afp32"])
def test_a_convolution_over_rows_has_the_scheme_that_was_asked_for(tmp_path: Path, scheme: str) -> None:
    """coremltools would give it a new weight, which no plan knows."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv1d(8, 4, 3)).eval()
    program = make_plain(torch.export.export(network, (torch.rand(1, 4, 16),)))
    model = Model(
        program=program,
        inputs=(TensorSpec(name="x", kind="tensor", shape=(1, 4, 16)),),
        outputs=(TensorSpec(name="y", kind="tensor", shape=(1, 4, 14)),),
        layers=list_layers(program),
    )
    out = tmp_path / "net.mlpackage"
    BACKENDS["coreml"].lower(model, plan_of({"0": scheme, "2": scheme}), "all", dict, out)
    assert read_realised(out, model) == {"0": scheme, "2": scheme}
