"""GPU variants, executed: LiteRT's GPU accelerator over software drivers, in fp32 and in the fp16 arithmetic of phones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from builder.backends import tflite
from builder.backends.base import Lowered
from builder.backends.tflite.gpu import drivers
from builder.backends.tflite.gpu.predict import predict_gpu_coverage
from builder.backends.tflite.gpu.run import Accelerated, GpuRunner, execute_coverage
from builder.backends.tflite.gpu.words import read_coverage
from builder.bundle import TensorSpec
from builder.bundle.tensors import measure_psnr_db
from builder.errors import VerificationError
from builder.graph.model import Model
from tests.builder.models import Mixed, make_picture_model, plan_of, samples, seeded
from tests.software_gpu import mesa, swiftshader

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own

LAYERS = ("head", "dw", "pw", "squeeze", "up", "tail")


def made(network: type[nn.Module], path: Path, schemes: dict[str, str], delegate: str = "gpu") -> tuple[Model, Lowered]:
    model = make_picture_model(seeded(network))
    return model, tflite.lower(model, plan_of(schemes), delegate, dict, path)  # type: ignore[arg-type]


class Plain(nn.Module):
    """All of it goes to the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.b(self.a(image).relu()).sigmoid()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model, Lowered]:
    path = tmp_path_factory.mktemp("plain") / "plain.tflite"
    return path, *made(Plain, path, {"a": "fp32", "b": "fp32"})


def test_in_fp32_the_gpu_gives_the_pictures_of_the_cpu_and_in_fp16_nearly(plain: tuple[Path, Model, Lowered]) -> None:
    """At least 100 dB in 32-bit floats; in 16-bit ones it is a good picture, of values that 16 bits hold."""
    path, model, lowered = plain
    sample = next(samples(model, 1))
    cpu = tflite.runner(path, lowered.inputs, lowered.outputs, 1)(sample)["stylized"]
    full = GpuRunner(path, lowered.inputs, lowered.outputs, swiftshader(), half=False)(sample)["stylized"]
    half = GpuRunner(path, lowered.inputs, lowered.outputs, mesa(), half=True)(sample)["stylized"]
    assert measure_psnr_db(full, cpu, 1.0) >= 100
    assert 40 <= measure_psnr_db(half, cpu, 1.0) < 90  # more would be fp32 under another name
    assert np.array_equal(half, half.astype(np.float16))


def test_execution_names_driver_and_precision_and_is_a_proof_in_fp16_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesa()
    there = tflite.execution("gpu")
    assert there.unproven is None
    assert "GPU in fp16, Mesa 25" in there.runtime
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path))  # no Mesa
    coarse = tflite.execution("gpu")
    assert "GPU in fp32, SwiftShader" in coarse.runtime
    assert coarse.unproven is not None
    assert "fp32 alone" in coarse.unproven
    monkeypatch.setattr(drivers, "CHROMIUM", tmp_path)  # no SwiftShader
    none = tflite.execution("gpu")
    assert none.runtime == tflite.describe_runtime()
    assert none.unproven is not None
    assert "no software GPU" in none.unproven
    assert tflite.execution("xnnpack").unproven is None


@pytest.mark.parametrize("scheme", ["fp32", "weight_only_wi8_afp32", "dynamic_wi8_afp32"])
def test_coverage_is_the_runtimes_own_answer_and_the_prediction_agrees(scheme: str, tmp_path: Path) -> None:
    """Weights of int8 are dequantized by operators of a version that the accelerator does not have. What comes behind an operator
    that it does not have is left too: one part of the graph goes to the GPU."""
    path = tmp_path / "a.tflite"
    made(Mixed, path, dict.fromkeys(LAYERS, scheme), "xnnpack")
    coverage = tflite.coverage(path, "gpu")
    assert coverage.source == "runtime"
    assert coverage.delegated_ops + len(coverage.left) == coverage.total_ops
    kinds = {text.split()[0] for text in coverage.left}
    assert ("DEQUANTIZE" in kinds) == (scheme == "weight_only_wi8_afp32")
    assert kinds - {"DEQUANTIZE", "PAD"} == {"TRANSPOSE_CONV", "CONV_2D", "LOGISTIC"}  # `up` and what follows
    assert any(
        text.startswith("TRANSPOSE_CONV (Max version supported: 3. Requested version 4)") for text in coverage.left
    )
    assert coverage.mac_share is not None
    assert 0.1 < coverage.mac_share < 0.2  # `up` has most
    predicted = predict_gpu_coverage(path)
    assert predicted.source == "predicted"
    assert (predicted.delegated_ops, predicted.mac_share) == (coverage.delegated_ops, coverage.mac_share)
    assert predicted.left == coverage.left


def test_a_transposed_convolution_goes_to_the_gpu_with_its_activation_apart(tmp_path: Path) -> None:
    """A file made for the GPU has none fused; it gives the very same picture on the CPU, and its layers are found."""
    fused, apart = tmp_path / "fused.tflite", tmp_path / "apart.tflite"
    schemes = dict.fromkeys(LAYERS, "fp32")
    made(Mixed, fused, schemes, "xnnpack")
    model, lowered = made(Mixed, apart, schemes)
    coverage = tflite.coverage(apart, "gpu")
    assert coverage.left == ()
    assert coverage.total_ops == tflite.coverage(fused, "gpu").total_ops + 1
    sample = next(samples(model, 1))
    pictures = [tflite.runner(path, lowered.inputs, lowered.outputs, 1)(sample)["stylized"] for path in (fused, apart)]
    assert np.array_equal(*pictures)
    assert tflite.read_back(apart, model) == schemes


class TooLarge(nn.Module):
    """Squares of 30000 and more: fine in fp32, infinite in fp16; what follows makes NaN of it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        large = self.a(image).relu() * 3e4 + 1e4
        return self.b((large * large).sqrt() * 1e-5).sigmoid()


def test_values_that_leave_fp16_are_named_by_operator_and_layer(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    model, lowered = made(TooLarge, path, {"a": "fp32", "b": "fp32"})
    sample = next(samples(model, 1))
    with pytest.raises(
        VerificationError, match=r"NaN or infinite values on .* in fp16.*: MUL \S+ after a is the first"
    ):
        GpuRunner(path, lowered.inputs, lowered.outputs, mesa(), half=True)(sample)
    finite = GpuRunner(path, lowered.inputs, lowered.outputs, mesa(), half=False)(sample)
    assert np.isfinite(finite["stylized"]).all()


def test_a_driver_that_hangs_or_is_none_ends_as_a_sentence(plain: tuple[Path, Model, Lowered], tmp_path: Path) -> None:
    """Its process is tried twice, with a limit."""
    path = plain[0]
    with pytest.raises(VerificationError, match=r"tried twice: its process did not end within 0\.01 s; use delegate"):
        Accelerated(path, mesa(), half=True, step_limit_s=0.01)
    garbage = tmp_path / "libvk_swiftshader.so"
    garbage.write_bytes(b"not a driver")
    with pytest.raises(
        VerificationError, match=r"plain\.tflite does not run on LiteRT's GPU accelerator .*tried twice"
    ):
        execute_coverage(path, replace(swiftshader(), library=garbage))


class TwoPictures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 2, 1)

    def forward(self, content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        return self.b(style).tanh(), self.a(content).relu()


def test_several_inputs_and_outputs_are_not_mixed_up(tmp_path: Path) -> None:
    import torch

    from builder.precision.layers import list_layers

    shapes = {"content": (1, 3, 8, 8), "style": (1, 3, 16, 16)}
    program = torch.export.export(seeded(TwoPictures), tuple(torch.zeros(shape) for shape in shapes.values()))
    model = Model(
        program=program,
        inputs=tuple(TensorSpec(name=name, kind="tensor", shape=shape) for name, shape in shapes.items()),
        outputs=(
            TensorSpec(name="small", kind="tensor", shape=(1, 2, 16, 16)),
            TensorSpec(name="wide", kind="tensor", shape=(1, 4, 8, 8)),
        ),
        layers=list_layers(program),
    )
    path = tmp_path / "two.tflite"
    lowered = tflite.lower(model, plan_of({"a": "fp32", "b": "fp32"}), "gpu", dict, path)  # type: ignore[arg-type]
    generator = np.random.default_rng(0)
    sample = {name: generator.random(shape, dtype=np.float32) for name, shape in shapes.items()}
    want = tflite.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
    got = GpuRunner(path, lowered.inputs, lowered.outputs, swiftshader(), half=False)(sample)
    for name in ("small", "wide"):
        assert got[name].shape == want[name].shape
        assert measure_psnr_db(got[name], want[name], 1.0) >= 100


def test_words_of_the_runtime_that_do_not_fit_the_file_are_refused(plain: tuple[Path, Model, Lowered]) -> None:
    from builder.backends.tflite.flatbuffer import load_model
    from builder.backends.tflite.graph import read_graph

    graph = read_graph(load_model(plain[0]))
    total = len(graph.ops)
    start = "ERROR: Following operations are not supported by GPU delegate:\n"
    line = "{} operations will run on the GPU, and the remaining {} operations will run on the CPU.\n"
    with pytest.raises(VerificationError, match="please report"):
        read_coverage(line.format(total, 1), graph)
    some = read_coverage(start + "CONV_2D: too wide.\n" + line.format(total - 1, 1), graph)
    assert some.left == ("CONV_2D (too wide)",)  # one of several: which, nobody said
    assert some.mac_share is None
    none = read_coverage(
        start + f"No operations will run on the GPU, and all {total} operations will run on the CPU.\n", graph
    )
    assert none.delegated_ops == 0
