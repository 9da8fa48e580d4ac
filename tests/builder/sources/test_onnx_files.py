"""ONNX files as users bring them: by both exporters, quantized, NHWC, dynamic, damaged, and hostile."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from builder.bundle import SourceAgreement
from builder.errors import EdgebundleError, SourceError, UnsupportedOperation
from builder.project.config import Config
from builder.sources import load_checked
from builder.sources.onnx.read import read
from tests.builder.sources.onnx_files import config, make_graph_model, picture, save


class Block(nn.Module):
    """What importers fail on: reflection padding, group and instance norm, a transposed convolution, a linear layer by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3))
        self.norm = nn.GroupNorm(2, 8)
        self.down = nn.Conv2d(8, 8, 3, 2, 1)
        self.bn = nn.BatchNorm2d(8)
        self.mix = nn.Linear(8, 8)
        self.up = nn.ConvTranspose2d(8, 8, 4, 2, 1)
        self.instance = nn.InstanceNorm2d(8, affine=True)
        self.tail = nn.Conv2d(8, 3, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.leaky_relu(self.norm(self.head(image)), 0.2)
        y = torch.relu(self.bn(self.down(x)))
        y = self.mix(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        z = self.instance(self.up(y)) + x
        z = torch.nn.functional.interpolate(z, scale_factor=0.5, mode="bilinear")
        return torch.sigmoid(self.tail(torch.nn.functional.interpolate(z, size=image.shape[2:], mode="nearest")))


LAYERS = ["head.1", "down", "mix", "up", "tail"]


def export(
    path: Path, exporter: str, module: nn.Module | None = None, *, dynamic: bool = False, opset: int | None = None
) -> nn.Module:
    torch.manual_seed(0)
    network = (module or Block()).eval()
    sample = torch.rand(1, 3, 16, 16)
    if exporter == "dynamo":
        shapes = ({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},) if dynamic else None
        torch.onnx.export(network, (sample,), str(path), dynamo=True, input_names=["image"], output_names=["y"], dynamic_shapes=shapes, external_data=False, verbose=False, opset_version=opset)  # fmt: skip
    else:
        axes = {"image": {2: "h", 3: "w"}} if dynamic else None
        torch.onnx.export(network, (sample,), str(path), dynamo=False, input_names=["image"], output_names=["y"], dynamic_axes=axes, opset_version=opset or 17)  # fmt: skip
    return network


def load(folder: Path, settings_: Config) -> tuple[Any, SourceAgreement]:
    model, agreement = load_checked(settings_, folder, ())
    assert agreement is not None
    return model, agreement


def measure_agreement(network: nn.Module, model: Any, size: int = 16) -> float:
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return float((network(image) - model.program.module()(image)).abs().max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("exporter", "opset"), [("torchscript", 11), ("torchscript", 17), ("dynamo", 18), ("dynamo", 23)]
)
def test_files_of_both_exporters_keep_their_layers(tmp_path: Path, exporter: str, opset: int) -> None:
    """From opset 11 to 23, layers have the module's names and the network agrees with its source."""
    network = export(tmp_path / "net.onnx", exporter, opset=opset)
    model, agreement = load(tmp_path, config("net.onnx", {"image": [1, 3, 16, 16]}, kind="image"))
    assert sorted(model.layers.names()) == sorted(LAYERS)
    assert agreement.psnr_db_worst >= 100
    assert agreement.samples == 2
    assert agreement.runtime.startswith("ONNX Runtime 1.")
    assert measure_agreement(network, model) < 1e-4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_dynamic_sizes_become_those_of_builder_toml(tmp_path: Path, exporter: str) -> None:
    """Height and width that the file leaves open are fixed, and the shapes it computes are folded."""
    network = export(tmp_path / "net.onnx", exporter, dynamic=True)
    model, _ = load(tmp_path, config("net.onnx", {"image": [1, 3, 24, 24]}, kind="image"))
    assert model.outputs[0].shape == (1, 3, 24, 24)
    assert measure_agreement(network, model, 24) < 1e-4


def make_nhwc_model(channels: int | str = 3) -> onnx.ModelProto:
    """What tf2onnx writes: NHWC at the borders, NCHW inside, names of Keras layers inside of long paths."""
    generator = np.random.default_rng(0)
    place = "StatefulPartitionedCall/net_1"
    nodes = [
        helper.make_node("Transpose", ["image"], ["t"], name=f"{place}/enc_1/Conv2D__5", perm=[0, 3, 1, 2]),
        helper.make_node(
            "Conv", ["t", "w", "b"], ["c"], name=f"{place}/enc_1/BiasAdd", auto_pad="SAME_UPPER", strides=[2, 2]
        ),
        helper.make_node("Relu", ["c"], ["r"], name=f"{place}/enc_1/Relu"),
        helper.make_node(
            "ConvTranspose",
            ["r", "v"],
            ["u"],
            name=f"{place}/dec_1/conv2d_transpose",
            strides=[2, 2],
            pads=[0, 0, 1, 1],
        ),
        helper.make_node("Transpose", ["u"], ["y"], name="out", perm=[0, 2, 3, 1]),
    ]
    stored = [
        numpy_helper.from_array(generator.normal(size=(4, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(generator.normal(size=4).astype(np.float32), "b"),
        numpy_helper.from_array(generator.normal(size=(4, 3, 3, 3)).astype(np.float32), "v"),
    ]
    return make_graph_model(
        nodes, [picture("image", "n", "h", "w", channels)], [picture("y", None, None, None, 3)], stored, opset=15
    )


@pytest.mark.parametrize("channels", [3, "c"])
def test_an_nhwc_graph_is_turned_at_its_borders(tmp_path: Path, channels: int | str) -> None:
    """The program is NCHW, the graph's own transposes are gone, and layers are those of Keras."""
    save(make_nhwc_model(channels), tmp_path / "net.onnx")
    model, agreement = load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 12]}, kind="image"))
    assert agreement.psnr_db_worst >= 100
    assert model.inputs[0].shape == (1, 3, 8, 12)
    assert model.outputs[0].shape == (1, 3, 8, 12)
    assert model.layers.names() == ["net_1.enc_1", "net_1.dec_1"]
    assert not [node for node in model.program.graph.nodes if "permute" in str(node.target)]


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network quantized to QDQ by ONNX Runtime's own quantizer, which takes its ReLU away."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Noise(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            generator = np.random.default_rng(0)
            self._samples = iter([{"image": generator.random((1, 3, 16, 16), np.float32)} for _ in range(4)])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._samples, None)

    folder = tmp_path_factory.mktemp("qdq")
    export(folder / "float.onnx", "torchscript")
    quantize_static(folder / "float.onnx", folder / "net.onnx", Noise(), quant_format=QuantFormat.QDQ, per_channel=True)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_qdq_file_agrees_node_by_node_and_becomes_floats(quantized: Path) -> None:
    """Its roundings are ONNX Runtime's; what is converted is without them, for our own plan to quantize anew."""
    model, agreement = load(quantized, config("net.onnx", {"image": [1, 3, 16, 16]}, kind="image"))
    assert agreement.psnr_db_worst >= 40
    assert sorted(model.layers.names()) == sorted(LAYERS)
    assert not [node for node in model.program.graph.nodes if "round" in str(node.target)]
    assert "Relu" not in [node.op_type for node in onnx.load(quantized / "net.onnx").graph.node]
    torch.manual_seed(0)
    network = Block().eval()
    assert measure_agreement(network, model) < 0.05


def test_inputs_are_bound_by_name_and_styles_by_their_number(tmp_path: Path) -> None:
    """Inputs in another order than the file's are matched by name; a whole number picks a row of a table."""
    nodes = [
        helper.make_node("Gather", ["table", "style:0"], ["row"], axis=0),
        helper.make_node("Reshape", ["row", "shape"], ["scale"]),
        helper.make_node("Mul", ["image", "scale"], ["y"]),
    ]
    stored = [
        numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "table"),
        numpy_helper.from_array(np.array([1, 3, 1, 1], np.int64), "shape"),
    ]
    style = helper.make_tensor_value_info("style:0", TensorProto.INT64, [1])
    save(
        make_graph_model(nodes, [style, picture("image", 1, 3, 4, 4)], [picture("y", 1, 3, 4, 4)], stored),
        tmp_path / "net.onnx",
    )
    inputs = {"image": [1, 3, 4, 4], "style": [1]}
    model, _ = load(tmp_path, config("net.onnx", inputs, dtypes={"style": "int64"}))
    got = model.program.module()(torch.ones(1, 3, 4, 4), torch.tensor([1]))
    assert got[0, :, 0, 0].tolist() == [3.0, 4.0, 5.0]
    with pytest.raises(SourceError, match=r"no input 'picture', its inputs are 'style', 'image'"):
        load(tmp_path, config("net.onnx", {"picture": [1, 3, 4, 4], "style": [1]}, dtypes={"style": "int64"}))
    with pytest.raises(SourceError, match=r"takes int64 for input 'style' but builder.toml says float32"):
        load(tmp_path, config("net.onnx", inputs))


def small(*, opset: int = 18) -> onnx.ModelProto:
    """A convolution and a ReLU."""
    weight = numpy_helper.from_array(
        np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32), "conv.weight"
    )
    nodes = [
        helper.make_node("Conv", ["image", "conv.weight"], ["c"], name="c1"),
        helper.make_node("Relu", ["c"], ["y"], name="r1"),
    ]
    return make_graph_model(nodes, [picture("image", 1, 3, 8, 8)], [picture("y", 1, 3, 6, 6)], [weight], opset=opset)


def with_node(op: str, inputs: list[str], domain: str = "", **attributes: Any) -> onnx.ModelProto:
    """The small network with another node behind its convolution."""
    model = small()
    model.graph.node[1].input[0] = "extra"
    model.graph.node.insert(1, helper.make_node(op, inputs, ["extra"], name="the_node", domain=domain, **attributes))
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def branch() -> onnx.ModelProto:
    """A branch on the sum of the picture."""
    model = small()
    sides = [
        helper.make_graph([helper.make_node(op, ["c"], ["side"])], op, [], [picture("side", 1, 3, 6, 6)])
        for op in ("Neg", "Abs")
    ]
    model.graph.node[1].input[0] = "extra"
    nodes = [
        helper.make_node("ReduceSum", ["c"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["truth"], to=TensorProto.BOOL),
        helper.make_node("If", ["truth"], ["extra"], name="the_node", then_branch=sides[0], else_branch=sides[1]),
    ]
    for place, node in enumerate(nodes, 1):
        model.graph.node.insert(place, node)
    return model


def make_batch_norm_in_training() -> onnx.ModelProto:
    model = with_node("BatchNormalization", ["c", "s", "s", "s", "s"], training_mode=1)
    model.graph.node[1].output.extend(["mean", "variance"])
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "s"))
    return model


def make_dropout_in_training() -> onnx.ModelProto:
    model = with_node("Dropout", ["c", "ratio", "training"])
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "ratio"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "training"))
    return model


def cyclic() -> onnx.ModelProto:
    model = with_node("Add", ["c", "loop"])
    model.graph.node.append(helper.make_node("Neg", ["extra"], ["loop"], name="back"))
    return model


def dangling() -> onnx.ModelProto:
    return with_node("Add", ["c", "nothing"])


def twice() -> onnx.ModelProto:
    model = small()
    model.graph.node.append(helper.make_node("Neg", ["image"], ["c"]))
    return model


def make_two_initializers() -> onnx.ModelProto:
    model = small()
    model.graph.initializer.append(model.graph.initializer[0])
    return model


def make_unnamed_input() -> onnx.ModelProto:
    model = small()
    model.graph.input[0].name = ""
    return model


def make_short_tensor() -> onnx.ModelProto:
    model = small()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:40]
    return model


def make_not_a_number() -> onnx.ModelProto:
    model = small()
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full((3, 3, 3, 3), np.nan, np.float32), "conv.weight")
    )
    return model


def unsigned() -> onnx.ModelProto:
    model = small()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT32
    return model


BAD: list[tuple[Any, type[EdgebundleError], str]] = [
    (
        lambda: with_node("Magic", ["c"], "org.example"),
        UnsupportedOperation,
        "'the_node' is the custom operator org.example::Magic",
    ),
    (
        lambda: with_node("FusedGelu", ["c"], "com.microsoft"),
        UnsupportedOperation,
        "without ONNX Runtime's own optimization",
    ),
    (branch, UnsupportedOperation, r"node 'the_node' \(If\) is control flow on data"),
    (
        make_batch_norm_in_training,
        UnsupportedOperation,
        "'the_node' is a BatchNormalization in training mode; call model.eval()",
    ),
    (make_dropout_in_training, UnsupportedOperation, "'the_node' is a Dropout in training mode; call model.eval()"),
    (lambda: with_node("Det", ["c"]), UnsupportedOperation, r"node 'the_node' \(Det\) has no importer"),
    (cyclic, SourceError, "is cyclic, at 'the_node'"),
    (dangling, SourceError, "takes 'nothing', which nothing gives"),
    (twice, SourceError, "two nodes .* give 'c'"),
    (make_two_initializers, SourceError, "two initializers .* are named 'conv.weight'"),
    (make_unnamed_input, SourceError, "has no name"),
    (make_short_tensor, SourceError, "not a valid ONNX model|cannot be read"),
    (make_not_a_number, SourceError, "NaN"),
    (unsigned, SourceError, "data type number 12 for input 'image'.*export it with float32|not a valid ONNX model"),
    (lambda: small(opset=6), SourceError, "is of opset 6, supported are 7 to"),
    (lambda: small(opset=99), SourceError, "is of opset 99, supported are 7 to"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD, ids=[message[:30] for _, _, message in BAD])
def test_what_cannot_be_imported_is_one_sentence(
    tmp_path: Path, make: Any, error: type[EdgebundleError], message: str
) -> None:
    """Every kind of bad graph is refused by what is wrong with it."""
    save(make(), tmp_path / "net.onnx")
    with pytest.raises(error, match=message) as caught:
        load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8]}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ([1, 3, 9, 8], "image", r"takes \[1, 3, 8, 8\] for input 'image' but builder.toml says \[1, 3, 9, 8\]"),
        ([1, 3, 8], "tensor", r"takes \[1, 3, 8, 8\] for input 'image' but builder.toml says \[1, 3, 8\]"),
    ],
)
def test_a_shape_that_differs_from_builder_toml_names_both(
    tmp_path: Path, shape: list[int], kind: str, message: str
) -> None:
    """A mismatch says what the file takes and what builder.toml says."""
    save(small(), tmp_path / "net.onnx")
    with pytest.raises(SourceError, match=message):
        load(tmp_path, config("net.onnx", {"image": shape}, kind=kind))


def test_the_number_of_inputs_and_outputs_must_be_that_of_builder_toml(tmp_path: Path) -> None:
    """One [[input]] and one [[output]] for each of the file's."""
    save(small(), tmp_path / "net.onnx")
    with pytest.raises(SourceError, match=r"has 1 inputs \(image\) but builder.toml names 2"):
        load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8], "style": [1]}))
    with pytest.raises(SourceError, match=r"has 1 outputs \(y\) but builder.toml names 2"):
        load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8]}, ["y", "z"]))
    save(with_node("ReduceSum", ["c"], keepdims=0), tmp_path / "scalar.onnx")
    with pytest.raises(SourceError, match="which is no picture"):
        load(tmp_path, config("scalar.onnx", {"image": [1, 3, 8, 8]}, kind="image"))


def external(folder: Path, location: str) -> None:
    """The small network with its weights kept at `location`."""
    model = small()
    onnx.save(model, folder / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    (folder / "net.onnx").write_bytes(model.SerializeToString())


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    """Weights in a file of their own."""
    external(tmp_path, "weights.bin")
    model, _ = load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8]}))
    assert model.layers.names() == ["conv"]


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "C:\\weights.bin", "..\\weights.bin", ""]
)
def test_external_data_outside_the_folder_is_refused_unopened(tmp_path: Path, location: str) -> None:
    """Absolute places and such that leave the folder are never opened."""
    folder = tmp_path / "model"
    folder.mkdir()
    external(folder, location)
    (folder / "weights.bin").replace(tmp_path / "weights.bin")
    with pytest.raises(SourceError, match="outside its own folder, which is never opened"):
        read(folder / "net.onnx")


def test_external_data_behind_a_link_to_outside_is_refused(tmp_path: Path) -> None:
    """A link inside the folder does not lead out of it."""
    folder = tmp_path / "model"
    folder.mkdir()
    external(folder, "weights.bin")
    (folder / "weights.bin").replace(tmp_path / "weights.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(SourceError, match="a link to outside its own folder"):
        read(folder / "net.onnx")


def test_external_data_that_are_missing_or_cut_off_are_named(tmp_path: Path) -> None:
    """The file to copy is named."""
    external(tmp_path, "weights.bin")
    content = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(content[:50])
    with pytest.raises(SourceError, match=r"'weights.bin' of the model .* is cut off"):
        read(tmp_path / "net.onnx")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(SourceError, match=r"external data 'weights.bin' of the model .* is missing"):
        read(tmp_path / "net.onnx")


def test_a_file_of_more_than_two_gigabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    """Nothing of it is read."""
    with (tmp_path / "net.onnx").open("wb") as file:
        file.truncate((1 << 31) + 5)
    with pytest.raises(SourceError, match="more than the 2 GB of a protobuf; save it with external data"):
        read(tmp_path / "net.onnx")


def test_a_missing_or_empty_file_is_named(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(SourceError, match=r"net\.onnx does not exist"):
        read(tmp_path / "net.onnx")
    (tmp_path / "net.onnx").touch()
    with pytest.raises(SourceError, match=r"net\.onnx is empty"):
        read(tmp_path / "net.onnx")


WHOLE = small().SerializeToString()


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    """One bit of a node's name changed so that it is no UTF-8: refused by the field that is damaged."""
    content = bytes(WHOLE)
    name = onnx.load_from_string(content).graph.node[0].name.encode()
    (tmp_path / "net.onnx").write_bytes(content.replace(name, b"\xae" + name[1:], 1))
    with pytest.raises(SourceError, match=r"damaged: a .* in it is no text"):
        load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8]}))


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    """Cut anywhere, with bytes changed, or mere noise: a sentence, or a model that is still whole."""
    seed = data.draw(st.integers(0, 1 << 30))
    generator = random.Random(seed)
    content = bytearray(WHOLE)
    kind = data.draw(st.sampled_from(["cut", "change", "noise"]))
    if kind == "cut":
        content = content[: generator.randrange(len(content))]
    elif kind == "change":
        for _ in range(generator.randrange(1, 6)):
            content[generator.randrange(len(content))] = generator.randrange(256)
    else:
        content = bytearray(generator.randbytes(generator.randrange(1, 300)))
    path = tmp_path / "net.onnx"
    path.write_bytes(bytes(content))
    try:
        load(tmp_path, config("net.onnx", {"image": [1, 3, 8, 8]}))
    except EdgebundleError as error:
        assert "\n" not in str(error)  # noqa: PT017
