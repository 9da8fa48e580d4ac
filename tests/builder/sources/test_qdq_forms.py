"""Forms of QDQ that other writers than ONNX Runtime's quantizer leave: what is on a grid stays on it, anything else is refused by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from builder.errors import SourceError
from builder.graph.model import Model
from builder.project.config import Config
from builder.sources import load_checked
from tests.builder.sources.onnx_files import config, make_graph_model, picture, save

pytestmark = pytest.mark.filterwarnings("ignore")


def loaded(folder: Path) -> Model:
    given = config("net.onnx", {"image": [1, 3, 8, 8]}, kind="image").model_dump(mode="json")
    given["variant"] = [{"backend": "tflite", "delegate": "xnnpack"}]
    for output in given["output"]:
        output["kind"] = "tensor"
    return load_checked(Config.model_validate(given), folder, ())[0]


def graph(
    layer: list[onnx.NodeProto], weight: np.ndarray[Any, Any], *, axis: int, second: str = "s"
) -> onnx.ModelProto:
    """A quantizer of the input, a turn and a turn back between its halves, float weights behind a pair, and `layer` from `d` and `wd` to `c`."""
    channels = weight.shape[axis]
    stored = {
        "s": np.array(0.01, np.float32), "t": np.array(0.02, np.float32), "z": np.array(-3, np.int8), "w": weight,
        "ws": np.linspace(0.01, 0.03, channels).astype(np.float32), "wz": np.zeros(channels, np.int8),
        "o": np.array(0.05, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"], name="first"),
        helper.make_node("Transpose", ["q"], ["q1"], perm=[0, 2, 3, 1]),
        helper.make_node("DequantizeLinear", ["q1", second, "z"], ["d1"], name="again"),
        helper.make_node("Transpose", ["d1"], ["d"], perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["w", "ws", "wz"], ["wq"], axis=axis),
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"], axis=axis),
        *layer,
        helper.make_node("QuantizeLinear", ["c", "o", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "o", "z"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    return make_graph_model(nodes, [picture("image", 1, 3, 8, 8)], [picture("y", None, None, None, None)], tensors)


RANDOM = np.random.default_rng(0)
CONV = RANDOM.normal(size=(4, 3, 3, 3)).astype(np.float32) * 0.3
MATRIX = RANDOM.normal(size=(8, 5)).astype(np.float32) * 0.3


def test_padding_of_one_side_and_weights_rounded_in_the_graph_are_as_trained(tmp_path: Path) -> None:
    """A convolution that pads more behind than in front has the pair of its input behind the padding; weights are the file's rounded ones."""
    conv = helper.make_node("Conv", ["d", "wd"], ["c"], name="conv", auto_pad="SAME_UPPER", strides=[2, 2])
    save(graph([conv], CONV, axis=0), tmp_path / "net.onnx")
    model = loaded(tmp_path)
    (calls,) = model.integers().values()
    scale = np.linspace(0.01, 0.03, 4).astype(np.float32).reshape(-1, 1, 1, 1)
    assert np.array_equal(calls[0].weight, np.clip(np.rint(CONV / scale), -128, 127))
    assert (calls[0].inputs.scale, calls[0].inputs.zero_point) == ((float(np.float32(0.01)),), (-3,))


def test_a_stored_matrix_on_the_right_is_a_linear_layer_with_its_scales_by_output(tmp_path: Path) -> None:
    """The file has its scales along the second axis of the matrix, torch along the first of its transpose."""
    save(graph([helper.make_node("MatMul", ["d", "wd"], ["c"], name="mix")], MATRIX, axis=1), tmp_path / "net.onnx")
    (calls,) = loaded(tmp_path).integers().values()
    assert np.array_equal(np.array(calls[0].weights.scale, np.float32), np.linspace(0.01, 0.03, 5).astype(np.float32))
    assert calls[0].weight.shape == (5, 8)


def test_integers_read_with_another_scale_are_refused_by_node(tmp_path: Path) -> None:
    """What a dequantizer reads must stand on the grid of its quantizer."""
    conv = helper.make_node("Conv", ["d", "wd"], ["c"], name="conv")
    save(graph([conv], CONV, axis=0, second="t"), tmp_path / "net.onnx")
    with pytest.raises(
        SourceError, match=r"node 'again' reads the integers of 'first' with another scale.*\[\[variant\]\]"
    ):
        loaded(tmp_path)
