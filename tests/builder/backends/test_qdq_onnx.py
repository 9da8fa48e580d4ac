"""ONNX files that ONNX Runtime's quantizer made: the files of all backends hold its integers, scales and zero points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn

import builder
from builder.backends import coreml, executorch, tflite
from builder.errors import ConfigError, SourceError
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.legalize.for_variant import find_needed, legalize_model
from builder.precision.plan import make_uniform_plan, resolve
from builder.project.config import load_config
from builder.project.project import open_project
from builder.sources import load_checked
from tests.builder.projects import edit, write_pictures
from tests.builder.quantized_networks import CONFIG

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

SIZE = 32


class Small(nn.Module):
    """Reflection padding, and a residual around a depthwise and a pointwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.dw = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pw = nn.Conv2d(8, 8, 1)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(x))
        x = x + torch.relu(self.pw(self.dw(x)))
        return torch.sigmoid(self.tail(x))


class Noise(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self._samples: Iterator[Any] = iter(
            [{"image": generator.random((1, 3, SIZE, SIZE), np.float32)} for _ in range(4)]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._samples, None)


def project(folder: Path, **settings: Any) -> Path:
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    write_pictures(folder / "evaluation", 2, seed=2)
    network = Small().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight *= 3.0  # so that the pictures that come out have many values
    torch.onnx.export(
        network, (torch.rand(1, 3, SIZE, SIZE),), str(folder / "float.onnx"), dynamo=False, input_names=["image"],
        output_names=["out"], opset_version=17,
    )  # fmt: skip
    quantize_static(
        folder / "float.onnx",
        folder / "net.onnx",
        Noise(),
        quant_format=QuantFormat.QDQ,
        **{"per_channel": True, **settings},
    )
    text = CONFIG.format(name="small", source="net.onnx", size=SIZE, evaluation="evaluation/*")
    (folder / "builder.toml").write_text(text, encoding="utf-8")
    return folder


def loaded(folder: Path) -> Model:
    config = load_config(folder / "builder.toml")
    return load_checked(config, folder, tuple(sorted((folder / "evaluation").iterdir())))[0]


def made(backend: Any, model: Model, path: Path) -> Any:
    """The file of the rewritten network, its scheme by layer, and how to run it."""
    delegate = backend.SPEC.delegate_names[0]
    model, _ = legalize_model(model, find_needed(backend.SPEC.delegate(delegate).traits), ())
    plan = resolve(make_uniform_plan("as_trained"), model.layers, where="test")
    lowered = backend.lower(model, plan, delegate, dict, path)
    return backend.read_back(path, model), backend.runner(path, lowered.inputs, lowered.outputs, 2)


def written(path: Path) -> dict[str, Any]:
    """Integers and scales of the weights as the file itself has them, read by onnx alone."""
    graph = onnx.load(path).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize(("kind", "per_channel"), [(QuantType.QInt8, True), (QuantType.QUInt8, False)])
def test_three_files_hold_what_onnx_runtime_wrote(tmp_path: Path, kind: QuantType, per_channel: bool) -> None:
    """Layers keep their names, the integers are the file's own, every backend's read-back agrees, two runtimes give equal values."""
    folder = project(tmp_path / "p", activation_type=kind, per_channel=per_channel)
    model = loaded(folder)
    names = ["head", "dw", "pw", "tail"]
    assert model.layers.names() == names
    stored = written(folder / "net.onnx")
    for name, (call,) in model.integers().items():
        assert np.array_equal(call.weight, stored[f"{name}.weight_quantized"])
        assert np.array_equal(np.array(call.weights.scale, np.float32), stored[f"{name}.weight_scale"].reshape(-1))
    sample = read_sample(folder / "evaluation" / "0.png", model.inputs)
    outputs = []
    for backend in (tflite, executorch, coreml):
        realised, run = made(backend, model, tmp_path / f"file{backend.SPEC.suffix}")
        assert realised == dict.fromkeys(names, "as_trained"), backend.__name__
        outputs.append(run(sample)["out"])
    assert len(np.unique(outputs[0])) > 50
    assert np.array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[2] - outputs[0]).max() < 0.05


def test_what_no_runtime_computes_with_is_refused_and_another_scheme_quantizes_anew(tmp_path: Path) -> None:
    """Weights with zero points: refused by the default, with a cure that works."""
    folder = project(tmp_path / "p", activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8, per_channel=False)
    with pytest.raises(SourceError, match=r"zero point .*QuantType\.QInt8"):
        loaded(folder)
    for backend in ("tflite", "executorch", "coreml"):
        edit(folder / "builder.toml", f'backend = "{backend}"', f'backend = "{backend}"\nscheme = "fp16"')
    assert not any(layer.trained for layer in loaded(folder).layers.layers)


def test_a_float_file_has_nothing_to_keep(tmp_path: Path) -> None:
    """Without a scheme a file of floats is refused with the lines that decide."""
    folder = project(tmp_path / "p")
    edit(folder / "builder.toml", "net.onnx", "float.onnx")
    opened = open_project(folder / "builder.toml")
    plan, where = opened.plan(opened.config.variant[0])
    with pytest.raises(ConfigError, match="no integers of its own"):
        resolve(plan, loaded(folder).layers, where=where)


def test_what_the_variants_ask_for_decides_the_kept_source(tmp_path: Path) -> None:
    """The network as it was trained and the one without its quantizers are two results."""
    folder = project(tmp_path / "p")
    kept = open_project(folder / "builder.toml").make_source_key()
    for backend in ("tflite", "executorch", "coreml"):
        edit(folder / "builder.toml", f'backend = "{backend}"', f'backend = "{backend}"\nscheme = "fp16"')
    assert open_project(folder / "builder.toml").make_source_key() != kept


@pytest.mark.parametrize("kept", [True, False])
def test_init_writes_variants_that_fit_a_quantized_file(tmp_path: Path, kept: bool) -> None:
    """as_trained without a scheme where a runtime has its integers, else the usual ones, which quantize anew."""
    kind = QuantType.QInt8 if kept else QuantType.QUInt8
    folder = project(tmp_path / "p", activation_type=QuantType.QUInt8, weight_type=kind, per_channel=kept)
    builder.init(folder / "net.onnx", out=folder / "new.toml")
    config = load_config(folder / "new.toml")
    assert all((v.plan or v.scheme) is None for v in config.variant) == kept
    assert {v.backend for v in config.variant} == {"tflite", "coreml"}
    assert load_checked(config, folder, ())[0].layers.trained == kept
