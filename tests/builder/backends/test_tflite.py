"""The TFLite backend on real conversions: what is asked for is in the file, layer by layer, and the file runs as the source does."""

from __future__ import annotations

import hashlib
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from builder.backends import tflite
from builder.backends.base import Lowered
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.flatbuffer import load_model, read_model
from builder.backends.tflite.graph import ACTIVATION, BIAS, WEIGHT, Graph, read_graph
from builder.backends.tflite.realise import realise
from builder.bundle import TensorSpec
from builder.bundle.tensors import measure_psnr_db
from builder.errors import ConversionError, InputError, VerificationError
from builder.graph.model import Model
from builder.precision.layers import Layer
from builder.precision.scheme import AS_TRAINED, SCHEMES
from builder.process import run
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

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[3]
ALL_SCHEMES = [
    name
    for name, scheme in SCHEMES.items()
    if scheme.mode not in ("palettized", "sparse") and not scheme.block and name != AS_TRAINED
]


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A network converted once to fp32: every plan starts from there, as in `lower`."""

    model: Model
    file: bytes
    lowered: Lowered

    def write(self, path: Path, schemes: dict[str, str]) -> Path:
        """The artifact in which the named layers have the named schemes and all others are fp32."""
        plan = plan_of(dict.fromkeys(self.model.layers.names(), "fp32") | schemes)
        path.write_bytes(
            realise(self.file, self.model, plan, lambda: observe_file(self.file, self.lowered, samples(self.model)))
        )
        return path

    def psnr(self, path: Path) -> float:
        """Agreement with the source network on a sample that was not calibrated with, in dB for outputs in 0..1."""
        sample = next(samples(self.model, 1, seed=99))
        got = tflite.runner(path, self.lowered.inputs, self.lowered.outputs, 1)(sample)
        wanted = expected(self.model, sample)
        return min(measure_psnr_db(got[name], wanted[name], 1.0) for name in wanted)


@pytest.fixture(scope="module")
def mixed() -> Converted:
    return converted(make_picture_model(seeded(Mixed)))


@pytest.fixture(scope="module")
def twins() -> Converted:
    return converted(make_picture_model(seeded(Twins)))


def converted(model: Model) -> Converted:
    torch.set_num_threads(1)
    file, lowered = to_float_file(model)
    return Converted(model=model, file=file, lowered=lowered)


def load_graph(path: Path) -> Graph:
    return read_graph(load_model(path))


def draw_schemes(model: Model, seed: int) -> dict[str, str]:
    """Any scheme that the backend does not refuse, for each layer."""
    draw = random.Random(seed)
    return {
        layer.name: draw.choice([name for name in ALL_SCHEMES if allowed(layer, name)]) for layer in model.layers.layers
    }


def allowed(layer: Layer, scheme: str) -> bool:
    return tflite.find_unsupported(layer, SCHEMES[scheme], "xnnpack") is None


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_every_scheme_is_realised_on_every_layer_that_has_it(mixed: Converted, tmp_path: Path, scheme: str) -> None:
    """The read-back equals the request, the file runs, and it agrees with the source as that precision should."""
    wanted = {layer.name: scheme if allowed(layer, scheme) else "fp32" for layer in mixed.model.layers.layers}
    path = mixed.write(tmp_path / "a.tflite", wanted)
    assert tflite.read_back(path, mixed.model) == wanted
    assert mixed.psnr(path) >= {"fp32": 100.0, "fp16": 60.0, "weight_only_wi4_afp32": 25.0}.get(scheme, 35.0)


@pytest.mark.parametrize("seed", range(12))
def test_random_mixed_plans_are_realised_layer_by_layer(mixed: Converted, tmp_path: Path, seed: int) -> None:
    """Whatever mixture is asked for, each layer has its scheme and the file runs."""
    wanted = draw_schemes(mixed.model, seed)
    path = mixed.write(tmp_path / "a.tflite", wanted)
    assert tflite.read_back(path, mixed.model) == wanted
    assert mixed.psnr(path) > 20


@pytest.mark.parametrize("seed", range(12))
def test_layers_with_equal_tied_and_scaled_weights_keep_their_own_schemes(
    twins: Converted, tmp_path: Path, seed: int
) -> None:
    """Two equal layers get two schemes, both calls of tied weights one, and a folded factor does not hide a layer."""
    wanted = draw_schemes(twins.model, seed)
    path = twins.write(tmp_path / "a.tflite", wanted)
    assert tflite.read_back(path, twins.model) == wanted
    names = [layer.name for layer in tflite.read_stored_layers(path)]
    assert names == ["first", "one", "two", "tied", "tied:1", "scaled", "last"]
    assert twins.psnr(path) > 20


def test_equal_layers_are_told_apart_without_names(twins: Converted) -> None:
    """In a file that does not carry our names, equal weights are matched in order of execution."""
    from builder.backends.tflite.flatbuffer import write_model
    from builder.backends.tflite.match import find_layers

    model = read_model(twins.file)
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"t{number}"
    uses = find_layers(read_graph(read_model(write_model(model))), twins.model)
    order = [use.op.index for name in ("first", "one", "two", "tied", "scaled", "last") for use in uses[name]]
    assert len(uses["tied"]) == 2
    assert order == sorted(order)


def test_borders_are_nhwc_floats_without_a_transpose(mixed: Converted, tmp_path: Path) -> None:
    """Pictures go in and out in NHWC as float32 under the names of builder.toml, whatever the plan."""
    path = mixed.write(tmp_path / "a.tflite", dict.fromkeys(mixed.model.layers.names(), "static_wi8_ai8"))
    graph = load_graph(path)
    for index, name, bindings in (
        (graph.inputs[0], "image", mixed.lowered.inputs),
        (graph.outputs[0], "stylized", mixed.lowered.outputs),
    ):
        tensor = graph.tensors[index]
        assert (tensor.shape, tensor.dtype) == ((1, SIZE, SIZE, 3), "FLOAT32")
        assert (bindings[0].name, bindings[0].layout, bindings[0].shape, bindings[0].dtype) == (
            name,
            "NHWC",
            tensor.shape,
            "float32",
        )
    border = {*graph.inputs, *graph.outputs}
    assert not [op for op in graph.ops if op.name == "TRANSPOSE" and border & {*op.inputs, *op.outputs}]
    signature = load_model(path).signatureDefs[0]
    assert [entry.name for entry in (*signature.inputs, *signature.outputs)] == [b"image", b"stylized"]


def test_pictures_vectors_and_several_outputs_are_bound_by_name(tmp_path: Path) -> None:
    """Two inputs and two outputs of different kinds come out under their own names with the source's values."""
    torch.manual_seed(3)
    style = TensorSpec(name="style", kind="vector", shape=(1, 5))
    score = TensorSpec(name="score", kind="tensor", shape=(1, 2))
    model = export(Conditional(), (make_image_spec("image"), style), (make_image_spec("stylized"), score))
    two = converted(model)
    path = two.write(tmp_path / "a.tflite", {"conv": "static_wi8_ai8", "style": "dynamic_wi8_afp32"})
    assert [(b.name, b.layout) for b in two.lowered.inputs] == [("image", "NHWC"), ("style", "plain")]
    assert tflite.read_back(path, model) == {
        "conv": "static_wi8_ai8",
        "style": "dynamic_wi8_afp32",
        "out": "fp32",
        "score": "fp32",
    }
    assert two.psnr(path) > 30
    assert two.psnr(two.write(tmp_path / "b.tflite", {})) > 100


def test_what_tflite_does_not_have_is_refused_with_an_alternative(mixed: Converted) -> None:
    """Palettes, 4-bit depthwise or transposed convolutions and dynamic transposed ones name what to ask for instead."""
    table = mixed.model.layers
    for layer, scheme in (
        ("dw", "weight_only_wi4_afp32"),
        ("up", "weight_only_wi4_afp32"),
        ("up", "dynamic_wi8_afp32"),
        ("head", "palettized_w4"),
    ):
        sentence = tflite.find_unsupported(table[layer], SCHEMES[scheme], "xnnpack")
        assert sentence is not None
        assert layer in sentence
        assert "use weight_only_wi" in sentence
    assert tflite.find_unsupported(table["pw"], SCHEMES["weight_only_wi4_afp32"], "xnnpack") is None
    with pytest.raises(InputError, match="xnnpack"):
        tflite.find_unsupported(table["pw"], SCHEMES["fp16"], "nnapi")


def test_a_static_plan_without_samples_says_what_to_set(mixed: Converted) -> None:
    """No calibration data is an error that names the key of builder.toml."""
    plan = plan_of(dict.fromkeys(mixed.model.layers.names(), "static_wi8_ai8"))
    with pytest.raises(ConversionError, match="calibration"):
        realise(mixed.file, mixed.model, plan, lambda: observe_file(mixed.file, mixed.lowered, ()))


def test_samples_that_leave_a_layer_at_zero_are_refused_by_the_layers_name(mixed: Converted) -> None:
    """A range of zero would quantize everything else away."""
    plan = plan_of(dict.fromkeys(mixed.model.layers.names(), "fp32") | {"head": "static_wi8_ai8"})
    black = {"image": np.zeros((1, 3, SIZE, SIZE), np.float32)}
    with pytest.raises(ConversionError, match=r"nothing but zero at the input of layer 'head'"):
        realise(mixed.file, mixed.model, plan, lambda: observe_file(mixed.file, mixed.lowered, [black]))


@pytest.mark.parametrize("scheme", ["static_wi8_ai8", "static_wi8_ai16"])
def test_a_dead_channel_with_a_bias_keeps_its_bias(tmp_path: Path, scheme: str) -> None:
    """Folded batch norms leave channels with weights near zero and a bias that would overflow its integers."""
    network = seeded(Mixed)
    with torch.no_grad():
        network.head.weight[2] *= 1e-12
        network.head.bias[2] = 0.75
    dead = converted(make_picture_model(network))
    path = dead.write(tmp_path / "a.tflite", {"head": scheme})
    graph = load_graph(path)
    op = next(op for op in graph.ops if graph.tensors[op.outputs[0]].name == "head")
    bias, source, weight = (graph.tensors[op.inputs[place]] for place in (BIAS[op.name], ACTIVATION[op.name], WEIGHT))
    assert bias.data is not None
    steps = bias.data.view("<i4" if bias.dtype == "INT32" else "<i8")
    assert float(steps[2]) * float(source.scale[0]) * float(weight.scale[2]) == pytest.approx(0.75, rel=1e-4)
    assert tflite.read_back(path, dead.model)["head"] == scheme
    assert dead.psnr(path) > 35


def test_a_layer_that_is_not_in_the_file_is_named(mixed: Converted, tmp_path: Path) -> None:
    """Other weights than the file's are an error, not a guess."""
    path = mixed.write(tmp_path / "a.tflite", {})
    other = make_picture_model(seeded(Mixed, seed=5))
    with pytest.raises(VerificationError, match="'head'"):
        tflite.read_back(path, other)


def test_coverage_tells_what_xnnpack_leaves(mixed: Converted, tmp_path: Path) -> None:
    """The runtime takes all of an fp32 file, and leaves 16-bit activations, with the layers' names."""
    whole = tflite.coverage(mixed.write(tmp_path / "a.tflite", {}), "xnnpack")
    assert (whole.source, whole.delegated_ops, whole.subgraphs, whole.left) == ("runtime", whole.total_ops, 1, ())
    part = tflite.coverage(mixed.write(tmp_path / "b.tflite", {"pw": "static_wi8_ai16"}), "xnnpack")
    assert any(text.startswith("CONV_2D pw after ") for text in part.left)
    assert part.delegated_ops == part.total_ops - len(part.left)
    with pytest.raises(InputError, match="nnapi"):
        tflite.coverage(tmp_path / "a.tflite", "nnapi")


def test_the_file_states_the_oldest_runtime_for_its_ops(mixed: Converted, tmp_path: Path) -> None:
    """4-bit weights need 2.18; no other scheme needs more than the Android runtime 2.16.1 has."""
    for scheme in ALL_SCHEMES:
        wanted = {layer.name: scheme for layer in mixed.model.layers.layers if allowed(layer, scheme)}
        name, version = tflite.read_minimum_runtime(mixed.write(tmp_path / "a.tflite", wanted)).split()
        assert name == "TFLite"
        newer = tuple(map(int, version.split("."))) > (2, 16, 1)
        assert newer == (scheme == "weight_only_wi4_afp32"), scheme


def test_peak_memory_is_the_file_and_the_largest_live_set(mixed: Converted, tmp_path: Path) -> None:
    """At the end of `Mixed` the 8-channel upsampled tensor and the one it is made from, or the output, are alive."""
    path = mixed.write(tmp_path / "a.tflite", {})
    small, large, picture = 16 * 16 * 8 * 4, SIZE * SIZE * 8 * 4, SIZE * SIZE * 3 * 4
    assert tflite.predict_peak_memory(path, (), ()) == path.stat().st_size + large + max(small, picture)


def test_constants_are_aligned_for_kernels_that_read_them_in_place(mixed: Converted, tmp_path: Path) -> None:
    """Every constant starts at a multiple of 16 bytes in the file."""
    from ai_edge_litert import schema_py_generated as schema

    content = mixed.write(tmp_path / "a.tflite", {"head": "fp16", "pw": "static_wi8_ai8"}).read_bytes()
    base = np.frombuffer(content, np.uint8).ctypes.data
    root = schema.Model.GetRootAs(content, 0)
    starts = [
        root.Buffers(i).DataAsNumpy().ctypes.data - base
        for i in range(root.BuffersLength())
        if not root.Buffers(i).DataIsNone()
    ]
    assert starts
    assert not [start for start in starts if start % 16]


def test_damaged_files_are_errors(mixed: Converted, tmp_path: Path) -> None:
    """An empty file and a file of another kind are refused by what they are."""
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "other.tflite").write_bytes(b"PK\x03\x04 not a model")
    for name in ("empty.tflite", "other.tflite"):
        with pytest.raises(VerificationError, match="not a TFLite model"):
            tflite.read_back(tmp_path / name, mixed.model)


LOWER = """
import sys
from pathlib import Path
from builder.backends import tflite
from tests.builder.backends.test_tflite import MIXTURE
from tests.builder.models import Mixed, make_picture_model, plan_of, samples, seeded
model = make_picture_model(seeded(Mixed))
tflite.lower(model, plan_of(MIXTURE), "xnnpack", lambda: tflite.observe(model, samples(model)), Path(sys.argv[1]))
"""
MIXTURE = {
    "head": "fp16",
    "dw": "static_wi8_ai8",
    "pw": "weight_only_wi4_afp32",
    "squeeze": "dynamic_wi8_afp32",
    "up": "static_wi8_ai16",
    "tail": "static_wi8_ai8",
}


def test_two_processes_give_the_same_bytes(mixed: Converted, tmp_path: Path) -> None:
    """Nothing of the process, its hash seed or the machine's paths gets into the file."""
    here, there = mixed.write(tmp_path / "here.tflite", MIXTURE), tmp_path / "there.tflite"
    run([sys.executable, "-c", LOWER, there], cwd=ROOT, env={"PYTHONHASHSEED": "7"}, timeout_s=120)
    assert hashlib.sha256(there.read_bytes()).hexdigest() == hashlib.sha256(here.read_bytes()).hexdigest()
    assert str(ROOT).encode() not in here.read_bytes()


def test_reading_back_loads_no_converter(mixed: Converted, tmp_path: Path) -> None:
    """Running, reading back and coverage start in a moment: they import neither litert-torch nor the quantizer nor torch."""
    path = mixed.write(tmp_path / "a.tflite", {})
    code = (
        "import sys; from pathlib import Path; from builder.backends import tflite; path = Path(sys.argv[1]);"
        "tflite.read_stored_layers(path), tflite.coverage(path, 'xnnpack'), tflite.read_minimum_runtime(path);"
        "print(sorted({'torch', 'litert_torch', 'ai_edge_quantizer', 'jax'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", code, path], cwd=ROOT, timeout_s=60).stdout.strip() == "[]"


class Odd(torch.nn.Module):
    """A transposed convolution that litert-torch has no lowering for."""

    def __init__(self) -> None:
        super().__init__()
        self.up = torch.nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.up(image))[:, :, ::2, ::2]


def test_what_the_converter_cannot_do_is_a_conversion_error(tmp_path: Path) -> None:
    """The converter's own failure is one sentence, and no file is left."""
    model = make_picture_model(seeded(Odd))
    with pytest.raises(ConversionError, match="litert-torch cannot convert"):
        tflite.lower(
            model,
            plan_of({"up": "fp32"}),
            "xnnpack",
            lambda: tflite.observe(model, samples(model)),
            tmp_path / "a.tflite",
        )
    assert list(tmp_path.iterdir()) == []
