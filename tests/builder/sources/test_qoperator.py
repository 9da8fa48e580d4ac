"""Files whose operators compute on integers, as ONNX Runtime's own quantizer writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn
from torch.nn import functional

from builder.errors import UnsupportedOperation
from builder.project.config import Config
from builder.sources import load_checked
from builder.sources.onnx.read import read
from tests.builder.sources.onnx_files import config

pytestmark = pytest.mark.filterwarnings("ignore")  # of exporter and quantizer


class Network(nn.Module):
    """An operator of each form that the quantizer knows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.mixed = nn.Conv2d(8, 4, 1)
        self.classes = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        y = functional.leaky_relu(self.depthwise(x), 0.1)
        z = self.mixed(torch.cat([x, y], 1)) + x
        z = torch.sigmoid(functional.avg_pool2d(functional.max_pool2d(z, 2), 2))
        return self.classes(z.mean((2, 3)))  # type: ignore[no-any-return]


class Reader(CalibrationDataReader):  # type: ignore[misc]  # without types
    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.samples: Iterator[Any] = iter(
            [{"x": generator.random((1, 3, 16, 16), dtype=np.float32)} for _ in range(3)]
        )

    def get_next(self) -> Any:
        return next(self.samples, None)


@pytest.fixture(scope="module", params=[False, True], ids=["by tensor", "by channel"])
def quantized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qoperator")
    floats, path = folder / "floats.onnx", folder / "net.onnx"
    torch.onnx.export(
        Network().eval(), (torch.rand(1, 3, 16, 16),), str(floats), dynamo=False, input_names=["x"], output_names=["y"]
    )
    quantize_static(
        floats, path, Reader(), quant_format=QuantFormat.QOperator, per_channel=request.param,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return path


def test_each_operator_is_the_same_between_quantizers(quantized: Path) -> None:
    """The import agrees with ONNX Runtime's integer kernels, and every layer can have a scheme."""
    kinds = {node.op_type for node in onnx.load(quantized).graph.node}
    assert {"QLinearConv", "QLinearAdd", "QLinearConcat", "QLinearLeakyRelu", "QLinearSigmoid", "QGemm"} <= kinds
    model, agreement = load_checked(config(quantized.name, {"x": (1, 3, 16, 16)}), quantized.parent, ())
    assert agreement is not None
    assert agreement.psnr_db_worst >= 40
    assert [layer.op for layer in model.layers.layers] == ["conv2d", "depthwise_conv2d", "conv2d", "linear"]


def test_it_stays_as_it_was_trained(quantized: Path) -> None:
    """Without a scheme the integers, scales and zero points of the file are kept."""
    values = config(quantized.name, {"x": (1, 3, 16, 16)}).model_dump(mode="json")
    values["variant"] = [{"backend": "tflite", "delegate": "xnnpack"}]
    model, _ = load_checked(Config.model_validate(values), quantized.parent, ())
    assert all(layer.trained for layer in model.layers.layers if layer.op != "linear")


def test_a_form_with_channels_last_is_named(quantized: Path, tmp_path: Path) -> None:
    """ONNX Runtime's transformer for that form is an optimisation that a file can do without."""
    model = onnx.load(quantized)
    pool = next(node for node in model.graph.node if node.op_type == "QLinearAveragePool")
    pool.attribute.append(onnx.helper.make_attribute("channels_last", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(UnsupportedOperation, match=r"QLinearAveragePool\) has its channels last"):
        read(tmp_path / "net.onnx")
