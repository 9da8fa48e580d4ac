"""The Core ML backend on real conversions: what is asked for is in the package, layer by layer, and the saved program computes it."""

from __future__ import annotations

import json
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from builder.backends import coreml
from builder.backends.base import Lowered
from builder.backends.coreml.package import MODEL, WEIGHTS
from builder.backends.coreml.program import list_operations, load_program, load_spec, name_dtype
from builder.bundle import TensorSpec, count_tree_bytes, hash_tree, list_tree
from builder.bundle.tensors import measure_psnr_db
from builder.errors import ConversionError, InputError, VerificationError
from builder.graph.model import Model
from builder.precision.layers import Layer
from builder.precision.scheme import AS_TRAINED, SCHEMES
from tests.builder.models import (
    SIZE,
    Conditional,
    Mixed,
    Twins,
    expected,
    export,
    make_image_spec,
    make_picture_model,
    plan_of,
    samples,
    seeded,
)

# coremltools warns of its own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[3]
# Blocks need more input channels than the small networks have: they have a test of their own.
ALL_SCHEMES = [
    name
    for name, scheme in SCHEMES.items()
    if scheme.mode not in ("dynamic", "static") and not scheme.block and name != AS_TRAINED
]
# What a small random network keeps at least; the float figures are the product's own.
LEAST_DB = {
    "fp32": 100.0,
    "fp16": 50.0,
    "weight_only_wi4_afp32": 35.0,
    "palettized_w4": 40.0,
    "palettized_w2": 30.0,
    "palettized_w1": 25.0,
    "sparse_50_palettized_w4": 35.0,
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A package, what lowering said of it, and its source."""

    path: Path
    lowered: Lowered
    model: Model

    def psnr(self) -> float:
        """Of the interpreted package against the source network, in dB for outputs in 0..1."""
        sample = next(samples(self.model, 1, seed=99))
        got = coreml.runner(self.path, self.lowered.inputs, self.lowered.outputs, 1)(sample)
        wanted = expected(self.model, sample)
        return min(measure_psnr_db(got[name], wanted[name], 1.0) for name in wanted)

    def operations(self, kind: str) -> list[object]:
        return [op for op in list_operations(load_program(self.path)) if op.op_type == kind]


def make(model: Model, path: Path, schemes: dict[str, str]) -> Made:
    """The named layers with the named schemes, all others in fp32."""
    torch.set_num_threads(1)
    plan = plan_of(dict.fromkeys(model.layers.names(), "fp32") | schemes)
    return Made(path=path, lowered=coreml.lower(model, plan, "all", dict, path), model=model)


@pytest.fixture(scope="module")
def mixed() -> Model:
    return make_picture_model(seeded(Mixed))


@pytest.fixture(scope="module")
def twins() -> Model:
    return make_picture_model(seeded(Twins))


@pytest.fixture(scope="module")
def fp32(mixed: Model, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`Mixed` in fp32; tests that damage it copy it."""
    return make(mixed, tmp_path_factory.mktemp("fp32") / "a.mlpackage", {})


def draw_schemes(model: Model, seed: int) -> dict[str, str]:
    draw = random.Random(seed)
    return {name: draw.choice(ALL_SCHEMES) for name in model.layers.names()}


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_every_scheme_is_realised_on_every_kind_of_layer(mixed: Model, tmp_path: Path, scheme: str) -> None:
    """The read-back equals the request and the interpreted package agrees with the source as that precision should."""
    wanted = dict.fromkeys(mixed.layers.names(), scheme)
    made = make(mixed, tmp_path / "a.mlpackage", wanted)
    assert coreml.read_back(made.path, mixed) == wanted
    assert made.psnr() >= LEAST_DB.get(scheme, 45.0)


@pytest.mark.parametrize("seed", range(8))
def test_random_mixed_plans_are_realised_layer_by_layer(mixed: Model, tmp_path: Path, seed: int) -> None:
    """Whatever mixture is asked for, each layer has its scheme and the program computes."""
    wanted = draw_schemes(mixed, seed)
    made = make(mixed, tmp_path / "a.mlpackage", wanted)
    assert coreml.read_back(made.path, mixed) == wanted
    assert made.psnr() > 25  # what palettes of one bit leave


@pytest.mark.parametrize("seed", range(6))
def test_layers_with_equal_and_tied_weights_keep_their_own_schemes(twins: Model, tmp_path: Path, seed: int) -> None:
    """Two equal layers get two schemes, both calls of tied weights one, and a factor after a layer does not hide it."""
    wanted = draw_schemes(twins, seed)
    made = make(twins, tmp_path / "a.mlpackage", wanted)
    assert coreml.read_back(made.path, twins) == wanted
    assert len(coreml.read_stored_layers(made.path)) == len(twins.layers.layers) + 1
    assert made.psnr() > 25  # what palettes of one bit leave


def test_equal_layers_of_one_scheme_may_share_their_weights(twins: Model, tmp_path: Path) -> None:
    """Where the converter stores equal weights once, both layers are still found."""
    wanted = dict.fromkeys(twins.layers.names(), "fp16")
    made = make(twins, tmp_path / "a.mlpackage", wanted)
    assert coreml.read_back(made.path, twins) == wanted


def test_ops_of_no_layer_compute_in_fp16_only_when_all_layers_do(mixed: Model, fp32: Made, tmp_path: Path) -> None:
    """One fp32 layer keeps activations and additions in fp32; borders are always fp32."""

    def adds(made: Made) -> set[str]:
        return {name_dtype(op.outputs[0]) for op in made.operations("add")}  # type: ignore[attr-defined]

    names = mixed.layers.names()
    halves = make(mixed, tmp_path / "a.mlpackage", dict.fromkeys(names, "fp16") | {"pw": "palettized_w8"})
    most = make(mixed, tmp_path / "b.mlpackage", dict.fromkeys(names[1:], "fp16"))
    assert (adds(halves), adds(most), adds(fp32)) == ({"fp16"}, {"fp32"}, {"fp32"})
    for made in (halves, most, fp32):
        description = load_spec(made.path).description
        types = {entry.type.multiArrayType.dataType for entry in (*description.input, *description.output)}
        assert types == {65568}  # FLOAT32 of Model.proto


class Normed(nn.Module):
    """Activations in the thousands under each of the norms that style networks use."""

    def __init__(self) -> None:
        super().__init__()
        self.loud = nn.Conv2d(3, 8, 3, padding=1)
        with torch.no_grad():
            self.loud.weight *= 3000
        self.group = nn.GroupNorm(1, 8)
        self.instance = nn.InstanceNorm2d(8, affine=True)
        self.out = nn.Conv2d(16, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.loud(image)
        by_hand = x * torch.rsqrt((x * x).mean((1, 2, 3), keepdim=True) + 1e-5)
        return torch.sigmoid(self.out(torch.cat([self.group(x), self.instance(x)], 1)) + 0.1 * by_hand[:, :3])


def test_variances_stay_in_fp32_in_an_fp16_plan(tmp_path: Path) -> None:
    """The square of an activation beyond 255 is infinite in fp16; averaged squares are therefore kept in fp32, the rest is not."""
    model = make_picture_model(seeded(Normed))
    made = make(model, tmp_path / "a.mlpackage", dict.fromkeys(model.layers.names(), "fp16"))
    squares = [op for kind in ("square", "pow", "rsqrt") for op in made.operations(kind)]
    assert squares
    assert {name_dtype(op.outputs[0]) for op in squares} == {"fp32"}  # type: ignore[attr-defined]
    assert {name_dtype(op.outputs[0]) for op in made.operations("sub") + made.operations("conv")} == {"fp16"}  # type: ignore[attr-defined]
    assert coreml.read_back(made.path, model) == dict.fromkeys(model.layers.names(), "fp16")
    assert made.psnr() > 45


class Tiny(nn.Module):
    """Weights of a small layer and a norm's shift that fp16 has only below its normal numbers, as trained networks have some."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.norm, self.tail = nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 1)
        with torch.no_grad():
            self.head.weight[0, 0, 0], self.tail.weight[1, :2] = 1e-6, -3e-8
            self.norm.bias[:2] = torch.tensor([2e-6, -4e-5])

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(torch.relu(self.norm(self.head(image)))))


def test_weights_that_coremltools_takes_for_epsilons_are_still_the_layers(tmp_path: Path) -> None:
    """It makes the smallest normal number of them in small tensors: another value, and the same layer and norm."""
    model = make_picture_model(seeded(Tiny))
    plan = plan_of({"head": "fp16", "tail": "fp16", "norm": "fp16"})
    coreml.lower(model, plan, "all", dict, tmp_path / "tiny.mlpackage")
    assert coreml.read_back(tmp_path / "tiny.mlpackage", model) == {"head": "fp16", "tail": "fp16"}
    assert coreml.read_norms(tmp_path / "tiny.mlpackage", model) == {"norm": "fp16"}


def test_compressed_weights_are_smaller_on_disk(tmp_path: Path) -> None:
    """Bytes follow bits: 4-bit less than 8-bit less than fp16 less than fp32, for weights that dominate."""
    model = make_picture_model(
        nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3, groups=2), nn.ConvTranspose2d(64, 3, 5))
    )
    sizes = {}
    for scheme in ("fp32", "fp16", "palettized_w8", "palettized_w6", "palettized_w4", "sparse_50_palettized_w4"):
        made = make(model, tmp_path / scheme, dict.fromkeys(model.layers.names(), scheme))
        sizes[scheme] = count_tree_bytes(made.path / WEIGHTS)
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    assert sizes["palettized_w4"] < 0.15 * sizes["fp32"]


def test_blocks_of_input_channels_have_scales_of_their_own(tmp_path: Path) -> None:
    """A scale for every 32 input channels is read back from the file, and is closer to the source than one a channel."""
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 1), nn.Conv2d(64, 3, 3, padding=1))
    with torch.no_grad():
        network[1].weight[:, :32] *= 20  # one scale a channel would round the other half away
    model = make_picture_model(network)
    wanted = {"0": "fp32", "1": "weight_only_wi4b32_afp32", "2": "weight_only_wi4b32_afp32"}
    made = make(model, tmp_path / "blocks.mlpackage", wanted)
    assert coreml.read_back(made.path, model) == wanted
    whole = make(model, tmp_path / "whole.mlpackage", wanted | {"1": "weight_only_wi4_afp32"})
    assert coreml.read_back(whole.path, model) == wanted | {"1": "weight_only_wi4_afp32"}
    assert made.psnr() > whole.psnr()
    refused = [
        coreml.find_unsupported(layer, SCHEMES["weight_only_wi4b32_afp32"], "all") for layer in model.layers.layers
    ]
    assert [sentence is None for sentence in refused] == [False, True, True]
    assert "'0' (conv2d) has weights of 64x3x3x3; use weight_only_wi4_afp32" in str(refused[0])


def test_borders_have_the_names_of_builder_toml(tmp_path: Path) -> None:
    """Two inputs and two outputs come under their own names, even where these are the converter's names for other values."""
    torch.manual_seed(3)
    names = (make_image_spec("linear"), TensorSpec(name="image", kind="vector", shape=(1, 5)))
    outputs = (make_image_spec("relu"), TensorSpec(name="conv2d", kind="tensor", shape=(1, 2)))
    made = make(export(Conditional(), names, outputs), tmp_path / "a.mlpackage", {"conv": "fp16"})
    description = load_spec(made.path).description
    assert [entry.name for entry in description.input] == ["linear", "image"]
    assert [entry.name for entry in description.output] == ["relu", "conv2d"]
    assert [(b.name, b.layout, b.dtype) for b in made.lowered.inputs] == [
        ("linear", "NCHW", "float32"),
        ("image", "plain", "float32"),
    ]
    assert made.psnr() > 50


def test_a_border_name_that_core_ml_cannot_have_is_refused(mixed: Model, tmp_path: Path) -> None:
    """The sentence names it and builder.toml."""
    odd = Model(
        program=mixed.program, inputs=(make_image_spec("my image"),), outputs=mixed.outputs, layers=mixed.layers
    )
    with pytest.raises(ConversionError, match=r"'my image'.*builder\.toml"):
        make(odd, tmp_path / "a.mlpackage", {})
    assert not (tmp_path / "a.mlpackage").exists()


def test_what_core_ml_does_not_have_is_refused_with_an_alternative(mixed: Model) -> None:
    """Quantized activations and weights too few to be compressed name what to ask for instead."""
    for scheme in ("static_wi8_ai8", "static_wi8_ai16", "dynamic_wi8_afp32"):
        sentence = coreml.find_unsupported(mixed.layers["pw"], SCHEMES[scheme], "all")
        assert sentence is not None
        assert "'pw'" in sentence
        assert "use weight_only_wi8_afp32" in sentence
    few = Layer(
        name="gain", op="depthwise_conv2d", weight="gain.weight", bias=None, weight_shape=(3, 1, 1, 1), params=3, macs=3, uses=1
    )  # fmt: skip
    assert "'gain'" in (coreml.find_unsupported(few, SCHEMES["palettized_w8"], "all") or "")
    assert coreml.find_unsupported(few, SCHEMES["fp16"], "all") is None
    with pytest.raises(InputError, match="cpu_and_ne"):
        coreml.find_unsupported(few, SCHEMES["fp16"], "npu")


def test_nine_weights_are_not_compressed_and_ten_are(tmp_path: Path) -> None:
    """The limit that `unsupported` states is the converter's."""
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1))
    model = make_picture_model(network)
    made = make(model, tmp_path / "a.mlpackage", dict.fromkeys(model.layers.names(), "weight_only_wi8_afp32"))
    assert coreml.read_back(made.path, model) == {
        "0": "fp32",
        "1": "weight_only_wi8_afp32",
        "2": "weight_only_wi8_afp32",
    }
    refused = [
        coreml.find_unsupported(layer, SCHEMES["palettized_w4"], "all") is not None for layer in model.layers.layers
    ]
    assert refused == [True, False, False]


def test_four_bit_linear_weights_and_sparse_palettes_need_ios_18_and_nothing_else_does(
    mixed: Model, tmp_path: Path
) -> None:
    """The oldest system is read from the saved file."""
    oldest = {}
    newer = ("weight_only_wi4_afp32", "sparse_50_palettized_w4")
    for scheme in ("fp32", "weight_only_wi8_afp32", "palettized_w4", "sparse_50", *newer):
        oldest[scheme] = coreml.read_minimum_runtime(make(mixed, tmp_path / scheme, {"pw": scheme}).path)
    assert {oldest.pop(scheme) for scheme in newer} == {"iOS 18"}
    assert set(oldest.values()) == {"iOS 16"}


@pytest.mark.parametrize("scheme", ["sparse_50", "sparse_50_palettized_w4"])
def test_a_large_layer_is_pruned_too(tmp_path: Path, scheme: str) -> None:
    """More weights than float16 can count: coremltools' own pruner leaves all of them without a word."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 300, 1), torch.nn.Conv2d(300, 300, 1), torch.nn.Conv2d(300, 3, 1))
    model = make_picture_model(network.eval())
    made = make(model, tmp_path / "a.mlpackage", {"1": scheme})
    assert coreml.read_back(made.path, model)["1"] == scheme
    (stored,) = (layer for layer in coreml.read_stored_layers(made.path) if layer.weight_shape == (300, 300, 1, 1))
    half = 300 * 300 // 2
    assert stored.weight_bytes == pytest.approx(half * (2 if scheme == "sparse_50" else 0.5) + 300 * 300 // 8, rel=0.01)


def test_a_layer_that_is_not_in_the_file_is_named(fp32: Made) -> None:
    """Other weights than the file's are an error, not a guess."""
    with pytest.raises(VerificationError, match="'head'"):
        coreml.read_back(fp32.path, make_picture_model(seeded(Mixed, seed=5)))


def test_a_layer_that_differs_in_one_weight_is_not_taken_for_it(tmp_path: Path) -> None:
    """A name that agrees does not excuse a value that does not."""
    network = seeded(Mixed)
    made = make(
        make_picture_model(network), tmp_path / "a.mlpackage", {"tail": "palettized_w4", "pw": "weight_only_wi8_afp32"}
    )
    for layer in ("tail", "pw", "dw"):
        changed = seeded(Mixed)
        with torch.no_grad():
            changed.get_submodule(layer).weight.view(-1)[7] += 0.02  # type: ignore[operator, union-attr, call-overload]
        with pytest.raises(VerificationError, match=f"'{layer}'"):
            coreml.read_back(made.path, make_picture_model(changed))


def test_alias_nodes_are_converted(tmp_path: Path) -> None:
    """Nodes that copy nothing are left out, in the middle of the graph and at its end."""

    class Aliased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, image: Tensor) -> Tensor:
            x = torch.ops.aten.alias(self.conv(image))
            return torch.ops.aten.alias(torch.relu(x))  # type: ignore[no-any-return]

    made = make(make_picture_model(Aliased()), tmp_path / "a.mlpackage", {})
    assert made.psnr() > 100


def test_an_operation_that_cannot_be_converted_is_one_sentence(tmp_path: Path) -> None:
    """What coremltools raises comes as a ConversionError with its first line, and nothing is written."""

    class Unknown(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.special.bessel_j0(image)

    with pytest.raises(ConversionError, match="bessel_j0") as caught:
        make(make_picture_model(Unknown()), tmp_path / "a.mlpackage", {})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.mlpackage").exists()


def copied(made: Made, path: Path) -> Path:
    for file in list_tree(made.path):
        target = path / file.relative_to(made.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return path


@pytest.mark.parametrize(
    "keep", [lambda n: n - 1, lambda n: n // 2, lambda n: 10, lambda n: 0], ids=["end", "half", "head", "empty"]
)
def test_truncated_weights_are_detected(fp32: Made, tmp_path: Path, keep: Callable[[int], int]) -> None:
    """However little is missing, reading back and running say that the package is damaged."""
    path = copied(fp32, tmp_path / "a.mlpackage")
    weights = path / WEIGHTS / "weight.bin"
    weights.write_bytes(weights.read_bytes()[: keep(weights.stat().st_size)])
    with pytest.raises(VerificationError, match="damaged"):
        coreml.read_back(path, fp32.model)
    with pytest.raises(VerificationError, match="damaged"):
        coreml.runner(path, fp32.lowered.inputs, fp32.lowered.outputs, 1)


def test_damaged_and_foreign_programs_are_errors(fp32: Made, tmp_path: Path) -> None:
    """A missing weight file, a cut or missing program, and one that is not a program are refused by what they are."""
    path = copied(fp32, tmp_path / "a.mlpackage")
    (path / WEIGHTS / "weight.bin").unlink()
    with pytest.raises(VerificationError, match="damaged"):
        coreml.read_stored_layers(path)
    content = (path / MODEL).read_bytes()
    for broken in (content[:-7], b"not a model"):
        (path / MODEL).write_bytes(broken)
        with pytest.raises(InputError, match="readable"):
            coreml.read_stored_layers(path)
    (path / MODEL).write_bytes(b"")
    with pytest.raises(InputError, match="not an ML program"):
        coreml.read_stored_layers(path)
    (path / MODEL).unlink()
    with pytest.raises(InputError, match="readable"):
        coreml.read_minimum_runtime(path)


def test_coverage_counts_the_program_and_says_that_it_is_predicted(fp32: Made) -> None:
    """No unit is claimed that only a device can tell; constants are not counted as work."""
    found = coreml.coverage(fp32.path, "all")
    assert (found.delegate, found.source, found.left) == ("all", "predicted", ())
    # 4 convolutions, linear, transposed one, 3 ReLU, 2 sigmoid, mean, add, mul, 2 expand_dims
    assert found.delegated_ops == found.total_ops == 16
    with pytest.raises(InputError, match="npu"):
        coreml.coverage(fp32.path, "npu")


def test_peak_memory_is_the_package_and_the_largest_live_set(fp32: Made) -> None:
    """At the end of `Mixed` the 8-channel upsampled tensor and what is made of it are alive."""
    activations = coreml.predict_peak_memory(fp32.path, (), ()) - count_tree_bytes(fp32.path)
    assert activations == 2 * SIZE * SIZE * 8 * 4


def test_stored_layers_tell_bits_and_bytes(mixed: Model, tmp_path: Path) -> None:
    """A person with only the file sees each op's kind, scheme, shape and size."""
    made = make(mixed, tmp_path / "a.mlpackage", {"pw": "palettized_w4", "squeeze": "weight_only_wi8_afp32"})
    rows = {row.name.split("_weight")[0]: row for row in coreml.read_stored_layers(made.path)}
    assert [row.op for row in rows.values()] == ["conv", "conv", "conv", "linear", "conv_transpose", "conv"]
    assert (rows["p_pw"].scheme, rows["p_pw"].weight_bytes, rows["p_pw"].weight_shape) == (
        "palettized_w4",
        32,
        (8, 8, 1, 1),
    )
    assert (rows["p_squeeze"].scheme, rows["p_squeeze"].weight_bytes) == ("weight_only_wi8_afp32", 64)
    assert (rows["p_head"].scheme, rows["p_head"].weight_bytes) == ("fp32", 4 * 8 * 27)


LOWER = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from builder.backends import coreml
from tests.builder.models import Mixed, make_picture_model, plan_of, seeded
model = make_picture_model(seeded(Mixed))
schemes = dict.fromkeys(model.layers.names(), "fp16") | {"head": "palettized_w4", "pw": "weight_only_wi4_afp32"}
coreml.lower(model, plan_of(schemes), "all", dict, Path(sys.argv[1]))
"""


def test_two_processes_give_the_same_package(tmp_path: Path) -> None:
    """Nothing of the process, its hash seed, the date or the machine's paths gets into the package."""
    packages = [tmp_path / "1.mlpackage", tmp_path / "2.mlpackage"]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", LOWER, str(package)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for package in packages
    ]
    assert [process.wait(240) for process in started] == [0, 0]
    assert hash_tree(packages[0]) == hash_tree(packages[1])
    for file in list_tree(packages[0]):
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        content = file.read_bytes()
        assert not [word for word in (str(tmp_path), str(ROOT), sys.prefix) if word.encode() in content]


def test_the_package_is_one_that_coremltools_opens(fp32: Made) -> None:
    """Its own loader accepts manifest, program and weights; the manifest's ids differ and carry no date."""
    import coremltools

    model = coremltools.models.MLModel(str(fp32.path), skip_model_load=True)
    assert [entry.name for entry in model.get_spec().description.input] == ["image"]
    assert not model.user_defined_metadata
    manifest = json.loads((fp32.path / "Manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["itemInfoEntries"]) == 2
    assert manifest["rootModelIdentifier"] in manifest["itemInfoEntries"]
    for entry in manifest["itemInfoEntries"].values():
        assert (fp32.path / "Data" / entry["path"]).exists()


def test_reports_name_the_interpreter_where_core_ml_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure is never taken for Core ML's own."""
    monkeypatch.setattr(sys, "platform", "linux")
    assert coreml.describe_runtime() == "MIL interpreter of edgebundle (Core ML itself runs on macOS only)"


def test_asking_what_is_supported_loads_no_converter() -> None:
    """`builder plan` on Core ML starts in a moment."""
    code = (
        "import sys; from builder.backends import coreml; from builder.precision import Layer, SCHEMES\n"
        "layer = Layer(name='a', op='linear', weight='a.weight', bias=None, weight_shape=(4, 4), params=16, macs=16, uses=1)\n"
        "coreml.find_unsupported(layer, SCHEMES['fp16'], 'all'); coreml.describe_runtime()\n"
        "assert not {'torch', 'coremltools', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
