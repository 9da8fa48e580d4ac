"""Coverage from published operator support: counted in a real file, and never said to be more than a prediction."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from torch import Tensor, nn

from builder.backends import coreml, executorch
from builder.backends.coreml import neural_engine
from builder.backends.executorch import vulkan
from tests.builder.models import make_picture_model, plan_of, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own


class Dilated(nn.Module):
    """A plain convolution, a dilated one, and a cumulative sum, which no GPU delegate takes."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.wide = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=2, dilation=2)

    def forward(self, image: Tensor) -> Tensor:
        return self.wide(self.plain(image).relu()).cumsum(2)


def test_the_neural_engine_is_predicted_by_operator_dilation_and_type(tmp_path: Path) -> None:
    """In fp16 the dilated convolution is left, in fp32 everything is."""
    model = make_picture_model(seeded(Dilated))
    half, full = tmp_path / "half.mlpackage", tmp_path / "full.mlpackage"
    for path, scheme in ((half, "fp16"), (full, "fp32")):
        coreml.lower(model, plan_of({"plain": scheme, "wide": scheme}), "cpu_and_ne", dict, path)  # type: ignore[arg-type]
    coverage = coreml.coverage(half, "cpu_and_ne")
    assert coverage.source == "predicted"
    assert coverage.mac_share == pytest.approx(0.5)
    assert any("dilated" in text for text in coverage.left)
    assert neural_engine.predict_engine_coverage(full, "cpu_and_ne").mac_share == 0.0
    assert coreml.predict_coverage(full, "all")[0].delegate == "cpu_and_ne"
    assert coreml.predict_coverage(full, "cpu_and_ne") == ()


def test_vulkan_is_predicted_beside_xnnpack(tmp_path: Path) -> None:
    """In floats it would take both convolutions and leave the cumulative sum; of an int8 file it would take nothing quantized."""
    floats, integers = tmp_path / "floats.pte", tmp_path / "integers.pte"
    model = make_picture_model(seeded(Dilated))
    executorch.lower(model, plan_of({"plain": "fp32", "wide": "fp32"}), "xnnpack", dict, floats)  # type: ignore[arg-type]
    (coverage,) = executorch.predict_coverage(floats, "xnnpack")
    measured = executorch.coverage(floats, "xnnpack")
    assert (coverage.delegate, coverage.source) == ("vulkan", "predicted")
    assert coverage.mac_share == 1.0
    assert (coverage.total_ops, coverage.total_macs) == (measured.total_ops, measured.total_macs)
    assert [text for text in coverage.left if text.startswith("aten::cumsum")]
    assert coverage.delegated_ops + len(coverage.left) == coverage.total_ops

    plan = plan_of({"plain": "static_wi8_ai8", "wide": "fp32"})
    executorch.lower(model, plan, "xnnpack", lambda: executorch.observe(model, samples(model)), integers)
    (coverage,) = executorch.predict_coverage(integers, "xnnpack")
    assert coverage.mac_share == pytest.approx(0.5)
    assert any("computes in integers" in text for text in coverage.left)


def test_the_tables_of_vulkan_name_what_the_installed_version_has() -> None:
    """Every operator is in the delegate's registry, and every node of XNNPACK's schema has an operator."""
    import executorch.backends.vulkan.op_registry as registry
    import executorch.backends.xnnpack as xnnpack

    names = {re.split(r"[.:]+", str(getattr(op, "__name__", op)))[-2:][0] for op in registry.vulkan_supported_ops}
    assert vulkan.load_supported() <= names
    schema = (Path(next(iter(xnnpack.__path__))) / "serialization/schema.fbs").read_text(encoding="utf-8")
    union = schema.split("union XNodeUnion {")[1].split("}")[0]
    kinds = {name.strip().split(":")[0].removeprefix("XNN") for name in union.split(",") if name.strip()}
    table = tomllib.loads((Path(vulkan.__file__).parent / "vulkan_ops.toml").read_text(encoding="utf-8"))
    assert set(table["xnnpack"]) == kinds
