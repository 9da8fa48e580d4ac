"""The ExecuTorch backend on real conversions: what is asked for is in the .pte, layer by layer, and the file runs as the source does."""

from __future__ import annotations

import hashlib
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder import process
from builder.backends import executorch
from builder.backends.base import Lowered
from builder.bundle.tensors import measure_psnr_db
from builder.errors import ConversionError, InputError, VerificationError
from builder.graph.model import Model
from builder.precision.scheme import AS_TRAINED, SCHEMES
from tests.builder.models import Mixed, Twins, expected, make_picture_model, plan_of, samples, seeded

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[3]
PLANS = 10


class Awkward(nn.Module):
    """What XNNPACK leaves: reflection padding, group norm, and a convolution with a computed bias; padding by name and ReLU6 besides."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.head = nn.Conv2d(3, 8, 3)
        self.norm = nn.GroupNorm(1, 8)
        self.left = nn.Conv2d(8, 8, 1)
        self.same = nn.Conv2d(8, 8, 3, padding="same")
        self.tail = nn.Conv2d(8, 3, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.head(self.pad(image))))
        x = nn.functional.conv2d(x, self.left.weight, self.left.bias * x.mean())
        return torch.sigmoid(self.tail(nn.functional.relu6(self.same(x))))


@dataclass(frozen=True, kw_only=True)
class Converted:
    """An artifact with how its tensors map to the model's."""

    model: Model
    path: Path
    lowered: Lowered

    def realised(self) -> dict[str, str]:
        return executorch.read_back(self.path, self.model)

    def psnr(self) -> float:
        """Agreement with the source network on a sample that was not calibrated with, in dB for outputs in 0..1."""
        sample = next(samples(self.model, 1, seed=99))
        got = executorch.runner(self.path, self.lowered.inputs, self.lowered.outputs, 1)(sample)
        wanted = expected(self.model, sample)
        return min(measure_psnr_db(got[name], wanted[name], 1.0) for name in wanted)


def converted(model: Model, path: Path, schemes: dict[str, str]) -> Converted:
    """The model lowered with the named layers' schemes and fp32 for the others."""
    plan = plan_of(dict.fromkeys(model.layers.names(), "fp32") | schemes)
    return Converted(
        model=model,
        path=path,
        lowered=executorch.lower(model, plan, "xnnpack", lambda: executorch.observe(model, samples(model)), path),
    )


@pytest.fixture(scope="module")
def mixed() -> Model:
    return make_picture_model(seeded(Mixed))


@pytest.fixture(scope="module")
def fp32(mixed: Model, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return converted(mixed, tmp_path_factory.mktemp("executorch") / "fp32.pte", {})


def test_fp32_is_the_source_network(fp32: Converted) -> None:
    """An fp32 artifact holds every layer as fp32 and agrees with the source to float rounding."""
    assert set(fp32.realised().values()) == {"fp32"}
    assert fp32.psnr() >= 100


def test_coverage_is_counted_in_the_file(fp32: Converted) -> None:
    """The mean over the picture is the one operation that XNNPACK leaves, between two graphs."""
    coverage = executorch.coverage(fp32.path, "xnnpack")
    assert (coverage.source, coverage.subgraphs) == ("file", 2)
    assert coverage.left == ("aten::mean.out @1",)
    assert coverage.total_ops == coverage.delegated_ops + 1


def test_stored_layers_need_no_model(fp32: Converted) -> None:
    """The file alone gives every op with weights: as many as layers, with four bytes a weight in fp32."""
    stored = executorch.read_stored_layers(fp32.path)
    assert len(stored) == len(fp32.model.layers.layers)
    assert sorted(layer.weight_bytes for layer in stored) == sorted(
        4 * int(np.prod(layer.weight_shape)) for layer in fp32.model.layers.layers
    )
    assert {layer.scheme for layer in stored} == {"fp32"}


def test_peak_memory_holds_the_file_and_its_tensors(fp32: Converted) -> None:
    """Peak memory exceeds the file and its packed weights, and for such a network stays below a megabyte."""
    peak = executorch.predict_peak_memory(fp32.path, fp32.lowered.inputs, fp32.lowered.outputs)
    weights = sum(layer.weight_bytes for layer in executorch.read_stored_layers(fp32.path))
    assert fp32.path.stat().st_size + weights < peak < 1_000_000
    assert executorch.read_minimum_runtime(fp32.path) == "ExecuTorch program schema 0 with XNNPACK payload XN01"


def test_fp16_stores_half_the_bytes(mixed: Model, fp32: Converted, tmp_path: Path) -> None:
    """fp16 is float16 arithmetic with weights in two bytes, but for the transposed convolution; borders stay float32."""
    made = converted(mixed, tmp_path / "fp16.pte", dict.fromkeys(mixed.layers.names(), "fp16"))
    assert set(made.realised().values()) == {"fp16"}
    assert made.psnr() >= 50
    bytes_of = {op.op: op.weight_bytes / np.prod(op.weight_shape) for op in executorch.read_stored_layers(made.path)}
    assert bytes_of == {"Conv2d": 2, "DepthwiseConv2d": 2, "FullyConnected": 2, "ConvTranspose2d": 4}
    assert {binding.dtype for binding in (*made.lowered.inputs, *made.lowered.outputs)} == {"float32"}
    assert fp32.psnr() >= 100, "the source network was changed"


@pytest.mark.parametrize("seed", range(PLANS))
def test_random_plans_are_realised(mixed: Model, seed: int, tmp_path: Path) -> None:
    """Any mix of fp32, fp16, static and, for linear layers, dynamic int8 is in the file as it was asked for, and runs; XNNPACK has some
    mixes of fp16 and dynamic int8 only on paper, which running the file shows: those are refused."""
    choose = random.Random(seed)
    schemes = {}
    for layer in mixed.layers.layers:
        possible = [
            name
            for name, scheme in SCHEMES.items()
            if name != AS_TRAINED and executorch.find_unsupported(layer, scheme, "xnnpack") is None
        ]
        schemes[layer.name] = choose.choice(possible)
    made = converted(mixed, tmp_path / "mix.pte", schemes)
    assert made.realised() == schemes
    if not {"fp16", "dynamic_wi8_afp32"} <= set(schemes.values()):
        assert made.psnr() >= 30
        return
    try:
        quality = made.psnr()
    except VerificationError as error:
        refusal = str(error)
    else:
        assert quality >= 30
        return
    assert "does not run in ExecuTorch" in refusal


def test_equal_and_tied_weights(tmp_path: Path) -> None:
    """Of two layers with equal weights only the one that was asked for is quantized; a layer called twice is so in both calls."""
    model = make_picture_model(seeded(Twins))
    schemes = dict.fromkeys(model.layers.names(), "fp32") | {
        "two": "static_wi8_ai8", "tied": "static_wi8_ai8", "last": "fp16"
    }  # fmt: skip
    made = converted(model, tmp_path / "twins.pte", schemes)
    assert made.realised() == schemes
    quantized = [op for op in executorch.read_stored_layers(made.path) if op.scheme == "static_wi8_ai8"]
    assert len(quantized) == 3  # `two`, and `tied` twice
    assert made.psnr() >= 40


def test_what_xnnpack_leaves_still_runs(tmp_path: Path) -> None:
    """Operations left to ExecuTorch's own kernels are named, layers among them are found, and the file runs."""
    model = make_picture_model(seeded(Awkward))
    schemes = dict.fromkeys(model.layers.names(), "fp32") | {"head": "static_wi8_ai8", "same": "static_wi8_ai8"}
    made = converted(model, tmp_path / "awkward.pte", schemes)
    assert made.realised() == schemes
    left = {name.split()[0] for name in executorch.coverage(made.path, "xnnpack").left}
    assert {"aten::native_group_norm.out", "aten::convolution.out"} <= left
    assert made.psnr() >= 40


def test_equal_inputs_give_equal_bytes(mixed: Model, tmp_path: Path) -> None:
    """A conversion in another process and directory gives the same bytes, which name no directory."""
    schemes = {"head": "static_wi8_ai8", "pw": "static_wi8_ai8", "squeeze": "dynamic_wi8_afp32"}
    made = converted(mixed, tmp_path / "here.pte", schemes)
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.builder.backends.test_executorch import converted\n"
        "from tests.builder.models import Mixed, make_picture_model, seeded\n"
        f"converted(make_picture_model(seeded(Mixed)), Path(sys.argv[1]), {schemes!r})\n"
    )
    there = tmp_path / "elsewhere" / "there.pte"
    there.parent.mkdir()
    process.run([sys.executable, "-W", "ignore", "-c", code, there], timeout_s=300, cwd=ROOT)
    assert hashlib.sha256(made.path.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest()
    assert str(ROOT).encode() not in made.path.read_bytes()
    assert sys.prefix.encode() not in made.path.read_bytes()


def test_the_impossible_is_refused_with_an_alternative(mixed: Model) -> None:
    """A scheme that XNNPACK has not, or not on that layer, is refused with one that it has."""
    for layer in mixed.layers.layers:
        for scheme in SCHEMES.values():
            reason = executorch.find_unsupported(layer, scheme, "xnnpack")
            allowed = {"fp32", "fp16", "static_wi8_ai8"} | ({"dynamic_wi8_afp32"} if layer.op == "linear" else set())
            assert (reason is None) == (scheme.name in allowed)
            assert reason is None or any(name in reason for name in allowed)
    with pytest.raises(InputError, match="no delegate 'vulkan'"):
        executorch.find_unsupported(mixed.layers.layers[0], SCHEMES["fp32"], "vulkan")


def test_fp16_on_some_layers(mixed: Model, fp32: Converted, tmp_path: Path) -> None:
    """Single layers compute in float16 between casts, beside int8 and fp32, and take half the bytes; the source is not changed."""
    schemes = {
        "head": "fp16", "dw": "static_wi8_ai8", "pw": "fp16", "squeeze": "fp16", "up": "fp32", "tail": "fp16"
    }  # fmt: skip
    made = converted(mixed, tmp_path / "mix.pte", schemes)
    assert made.realised() == schemes
    assert {
        op.weight_bytes / np.prod(op.weight_shape)
        for op in executorch.read_stored_layers(made.path)
        if op.scheme == "fp16"
    } == {2}
    assert made.psnr() >= 45
    assert fp32.psnr() >= 100, "the source network was changed"


def test_weights_beyond_float16_are_named(tmp_path: Path) -> None:
    """A weight that float16 cannot hold is refused by name, whether its layer or the whole network is to be fp16."""
    network = seeded(Mixed)
    with torch.no_grad():
        network.get_submodule("pw").weight[0] = 1e6
    model = make_picture_model(network)
    for layers in (["pw"], model.layers.names()):
        with pytest.raises(ConversionError, match=r"'pw.weight' has values beyond the largest float16"):
            converted(model, tmp_path / "large.pte", dict.fromkeys(layers, "fp16"))


def test_static_schemes_need_samples(mixed: Model, tmp_path: Path) -> None:
    """Without calibration samples a static scheme is refused, naming the setting."""
    plan = plan_of(dict.fromkeys(mixed.layers.names(), "static_wi8_ai8"))
    with pytest.raises(ConversionError, match="set 'calibration' in"):
        executorch.lower(mixed, plan, "xnnpack", lambda: executorch.observe(mixed, ()), tmp_path / "none.pte")


def test_ranges_must_be_finite(mixed: Model, tmp_path: Path) -> None:
    """A calibration sample with an infinity is refused."""
    plan = plan_of(dict.fromkeys(mixed.layers.names(), "static_wi8_ai8"))
    infinite = {"image": np.full((1, 3, 32, 32), np.inf, np.float32)}
    with pytest.raises(
        ConversionError, match="calibration saw values that are not finite at the input of layer 'head'"
    ):
        executorch.lower(mixed, plan, "xnnpack", lambda: executorch.observe(mixed, [infinite]), tmp_path / "none.pte")


class PaddedByHand(nn.Module):
    """What networks from TensorFlow do for strides: zeros on two sides, then a convolution without padding."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.dw, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, 2, groups=8), nn.Conv2d(8, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.pad(nn.functional.relu6(self.first(image)), (0, 1, 0, 1))
        return self.last(torch.relu(self.dw(x)))


@pytest.mark.parametrize("beside", ["fp32", "fp16", "static_wi8_ai8"])
def test_zeros_between_a_quantized_layer_and_another_keep_either_as_asked(tmp_path: Path, beside: str) -> None:
    """XNNPACK's lowering quantizes such a padding by itself, and stopped where a float layer reads it."""
    model = make_picture_model(seeded(PaddedByHand))
    plan, path = plan_of({"first": "static_wi8_ai8", "dw": beside, "last": "fp32"}), tmp_path / "padded.pte"
    lowered = executorch.lower(model, plan, "xnnpack", lambda: executorch.observe(model, samples(model)), path)
    assert executorch.read_back(path, model) == {"first": "static_wi8_ai8", "dw": beside, "last": "fp32"}
    sample = next(samples(model, count=1, seed=9))
    output = executorch.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
    (name,) = output
    assert measure_psnr_db(output[name], expected(model, sample)[name], 1.0) >= 60


def test_a_layer_that_is_absent_is_named(fp32: Converted) -> None:
    """Reading a file back for another network fails with the first layer that is not in it."""
    with pytest.raises(VerificationError, match="layer 'head' is not in the ExecuTorch file"):
        executorch.read_back(fp32.path, make_picture_model(seeded(Mixed, seed=7)))


@pytest.mark.parametrize(
    "content", [b"", b"not a program at all, but longer than its header would be", b"\0\0\0\0ET12eh00" + b"\xff" * 64]
)
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    """What is no ExecuTorch program, or a damaged one, is one clear error."""
    path = tmp_path / "damaged.pte"
    path.write_bytes(content)
    with pytest.raises(VerificationError, match="convert it again"):
        executorch.read_stored_layers(path)


def test_a_file_cut_short_is_refused(fp32: Converted, tmp_path: Path) -> None:
    """A file whose last constants are missing is refused, not read as if they were other numbers."""
    path = tmp_path / "cut.pte"
    path.write_bytes(fp32.path.read_bytes()[:-100])
    with pytest.raises(VerificationError, match="is damaged"):
        executorch.read_back(path, fp32.model)
    with pytest.raises(VerificationError, match=r"does not (load|run) in ExecuTorch"):
        executorch.runner(path, fp32.lowered.inputs, fp32.lowered.outputs, 1)(next(samples(fp32.model, 1)))


def test_a_bias_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    """A bias that its integer cannot hold, which the tool clips without a word, is an error that names the layer."""
    network = seeded(Mixed)
    with torch.no_grad():
        network.get_submodule("head").bias[0] = 1e7
    made = converted(make_picture_model(network), tmp_path / "bias.pte", {"head": "static_wi8_ai8"})
    with pytest.raises(VerificationError, match="layer 'head' was quantized wrongly: its bias"):
        made.realised()
