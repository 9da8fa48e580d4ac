"""Which operator is named when values leave what their numbers can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.bundle.tensors import write_picture
from builder.errors import VerificationError
from builder.graph.culprit import name_overflow
from builder.workers.jobs.variant import require_numbers
from tests.builder.models import make_picture_model, seeded


class Steep(nn.Module):
    """A convolution whose values are beyond float16 inside, and small again at the output."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 1)
        self.wide = nn.Conv2d(4, 4, 1)
        self.tail = nn.Conv2d(4, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(self.wide(self.head(image).abs() + 1) * 1e-6))


def steep(factor: float) -> nn.Module:
    network = seeded(Steep)
    with torch.no_grad():
        network.get_submodule("wide").weight.fill_(factor)
    return network


@pytest.mark.parametrize(("factor", "found"), [(1.0, None), (1e6, "the operator 'conv2d' in 'wide'")])
def test_the_first_operator_beyond_a_limit_is_named(factor: float, found: str | None) -> None:
    """The first result beyond the limit, by operator and layer; nothing where all are within."""
    sample = [np.full((1, 3, 32, 32), 0.5, np.float32)]
    named = name_overflow(make_picture_model(steep(factor)).program, sample, 65504.0)
    assert named is None if found is None else named is not None and named.startswith(found)


@pytest.mark.parametrize(("factor", "said"), [(1.0, "a scheme is to blame"), (1e6, "'conv2d' in 'wide'")])
def test_an_artifact_without_numbers_is_refused_with_the_layer(factor: float, said: str, tmp_path: Path) -> None:
    """NaN in an artifact's output names the picture, and the layer whose values float16 cannot hold where there is one."""
    model = make_picture_model(steep(factor))
    path = tmp_path / "grey.png"
    write_picture(path, np.full((32, 32, 3), 128, np.uint8))
    require_numbers({"stylized": np.zeros((1, 3, 32, 32), np.float32)}, model, path)
    with pytest.raises(VerificationError, match=f"NaN or infinite values in 'stylized' for grey.png: .*{said}"):
        require_numbers({"stylized": np.full((1, 3, 32, 32), np.nan, np.float32)}, model, path)
