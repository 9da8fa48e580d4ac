"""Coverage from published operator support: counted in a real file, and never said to be more than a prediction."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn

from builder.backends import coreml, tflite
from builder.backends.coreml import neural_engine
from builder.backends.tflite import gpu
from tests.builder.models import SIZE, picture_model, plan_of, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own


class Dilated(nn.Module):
    """A plain convolution, a dilated one, and a cumulative sum, which no GPU delegate takes."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.wide = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=2, dilation=2)

    def forward(self, image: Tensor) -> Tensor:
        return self.wide(self.plain(image).relu()).cumsum(2)


def test_the_gpu_delegate_is_predicted_from_the_published_lists(tmp_path: Path) -> None:
    """All MACs are convolutions, which it takes; what it does not take is named after the layer before it."""
    model = picture_model(seeded(Dilated))
    path = tmp_path / "a.tflite"
    tflite.lower(model, plan_of({"plain": "fp16", "wide": "fp32"}), "gpu", dict, path)  # type: ignore[arg-type]
    coverage = tflite.coverage(path, "gpu")
    assert coverage.source == "predicted"
    assert coverage.mac_share == 1.0
    assert coverage.total_macs == SIZE * SIZE * 9 * (3 * 4 + 4 * 3)
    assert coverage.left
    assert all("after wide" in text for text in coverage.left)
    assert {"CONV_2D", "TANH"} <= gpu.supported()


def test_the_neural_engine_is_predicted_by_operator_dilation_and_type(tmp_path: Path) -> None:
    """In fp16 the dilated convolution is left, in fp32 everything is."""
    model = picture_model(seeded(Dilated))
    half, full = tmp_path / "half.mlpackage", tmp_path / "full.mlpackage"
    for path, scheme in ((half, "fp16"), (full, "fp32")):
        coreml.lower(model, plan_of({"plain": scheme, "wide": scheme}), "cpu_and_ne", dict, path)  # type: ignore[arg-type]
    coverage = coreml.coverage(half, "cpu_and_ne")
    assert coverage.source == "predicted"
    assert coverage.mac_share == pytest.approx(0.5)
    assert any("dilated" in text for text in coverage.left)
    assert neural_engine.predicted_coverage(full, "cpu_and_ne").mac_share == 0.0
