"""Files that nobody can export again: old opsets, branches on sizes, halves inside and at both ends, whole numbers as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from builder.sources import load_checked
from tests.builder.sources.onnx_files import config, make_graph_model, picture, save

pytestmark = pytest.mark.filterwarnings("ignore")

NOISE = np.random.default_rng(0)
node = helper.make_node


def stored(name: str, *shape: int, kind: str = "f4") -> TensorProto:
    return numpy_helper.from_array(NOISE.normal(0, 0.2, shape).astype(kind), name)


def upsampled(opset: int) -> ModelProto:
    """Upsample with scales, as the public style networks of 2018 have it: an attribute before opset 9, an input from it."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [
        node("Conv", ["image", "w1"], ["a"], pads=[1] * 4, strides=[2, 2]),
        node("Upsample", ["a", "scales"], ["b"])
        if opset >= 9
        else node("Upsample", ["a"], ["b"], scales=[1.0, 1.0, 2.0, 2.0]),
        node("Conv", ["b", "w2"], ["y"], pads=[1] * 4),
    ]
    weights = [stored("w1", 8, 3, 3, 3), stored("w2", 3, 8, 3, 3), *([scales] if opset >= 9 else [])]
    ends = [picture("image", 1, 3, 16, 16)], [picture("y", 1, 3, 16, 16)]
    given = [*ends[0], *(helper.make_tensor_value_info(w.name, TensorProto.FLOAT, w.dims) for w in weights)]
    model = make_graph_model(nodes, given, ends[1], weights, opset=opset)
    model.ir_version = 3
    return model


def branched(channels: int) -> ModelProto:
    """If on a condition that the declared sizes decide, as a scripted squeeze leaves it."""
    constants = [
        numpy_helper.from_array(np.array(1, np.int64), "one"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    then = helper.make_graph(
        [node("Squeeze", ["a", "axis"], ["s"]), node("Relu", ["s"], ["r"])],
        "then",
        [],
        [picture("r", None, None, None)],
    )
    other = helper.make_graph([node("Identity", ["a"], ["r"])], "else", [], [picture("r", None, None, None, None)])
    nodes = [
        node("Conv", ["image", "w"], ["a"], pads=[1] * 4),
        node("Shape", ["a"], ["shape"]),
        node("Gather", ["shape", "one"], ["count"], axis=0),
        node("Equal", ["count", "one"], ["single"]),
        node("If", ["single"], ["flat"], then_branch=then, else_branch=other),
        node("Sigmoid", ["flat"], ["y"]),
    ]
    return make_graph_model(
        nodes,
        [picture("image", "n", 3, "h", "w")],
        [picture("y", *[None] * (3 if channels == 1 else 4))],
        [stored("w", channels, 3, 3, 3), *constants],
        opset=13,
    )


def halved() -> ModelProto:
    nodes = [
        node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
        node("Conv", ["half", "w"], ["a"], pads=[1] * 4),
        node("Cast", ["a"], ["y"], to=TensorProto.FLOAT),
    ]
    return make_graph_model(
        nodes,
        [picture("image", 1, 3, 16, 16)],
        [picture("y", 1, 4, 16, 16)],
        [stored("w", 4, 3, 3, 3, kind="f2")],
        opset=17,
    )


def make_given_in(kind: int, *, ends: bool) -> ModelProto:
    """A picture of this type, channels last, that is cast at once; with `ends` everything up to the output is in it."""
    inner = kind if ends else TensorProto.FLOAT
    nodes = [
        node("Cast", ["image"], ["x"], to=inner),
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["y"], pads=[1] * 4),
    ]
    return make_graph_model(
        nodes,
        [helper.make_tensor_value_info("image", kind, (1, 16, 16, 3))],
        [helper.make_tensor_value_info("y", inner, (1, 4, 16, 16))],
        [stored("w", 4, 3, 3, 3, kind="f2" if ends else "f4")],
        opset=17,
    )


def resized(mode: str) -> ModelProto:
    """Resize of opset 10 (linear: products with two matrices), which reads from the edge of pixels and cannot say so; its output has no shape, its constants are no inputs."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [node("Conv", ["image", "w"], ["a"]), node("Resize", ["a", "scales"], ["y"], mode=mode)]
    model = make_graph_model(
        nodes,
        [picture("image", 1, 3, 16, 16)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [stored("w", 4, 3, 3, 3), scales],
        opset=10,
    )
    model.ir_version = 3
    return model


def attending() -> ModelProto:
    """A product of two computed matrices in fp16, whose roundings no import has."""
    nodes = [
        node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
        node("Conv", ["half", "w"], ["a"], pads=[1] * 4),
        node("MatMul", ["a", "a"], ["b"]),
        node("Softmax", ["b"], ["c"], axis=-1),
        node("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    weights = [numpy_helper.from_array(NOISE.normal(0, 0.5, (4, 3, 3, 3)).astype("f2"), "w")]
    return make_graph_model(nodes, [picture("image", 1, 3, 16, 16)], [picture("y", 1, 4, 16, 16)], weights, opset=17)


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (upsampled(7), 2),
        (upsampled(9), 2),
        (resized("linear"), 3),
        (resized("nearest"), 1),
        (attending(), 1),
        (branched(1), 1),
        (halved(), 1),
        (make_given_in(TensorProto.FLOAT16, ends=True), 1),
        (make_given_in(TensorProto.UINT8, ends=False), 1),
        (make_given_in(TensorProto.DOUBLE, ends=False), 1),
    ],
    ids=[
        "opset 7",
        "opset 9",
        "linear",
        "nearest",
        "halves multiplied",
        "branch",
        "halves",
        "halves at both ends",
        "bytes",
        "doubles",
    ],
)
def test_it_agrees_with_onnx_runtime_and_its_convolutions_are_layers(
    tmp_path: Path, model: ModelProto, count: int
) -> None:
    """The reference runs the file as it is; nothing inside is fp16 any more, since that is a plan's business."""
    save(model, tmp_path / "net.onnx")
    loaded, agreement = load_checked(config("net.onnx", {"image": [1, 3, 16, 16]}), tmp_path, ())
    assert len(loaded.layers.layers) == count
    assert agreement is not None
    assert agreement.psnr_db_worst >= 60
    kinds = {
        str(node.meta["val"].dtype) for node in loaded.program.graph.nodes if hasattr(node.meta.get("val"), "dtype")
    }
    assert kinds == {"torch.float32"}


def test_outputs_that_are_left_out_of_builder_toml_are_dropped_with_what_only_they_need(tmp_path: Path) -> None:
    """Here places of values, whose number depends on the picture: no file could hold them."""
    nodes = [node("Conv", ["image", "w"], ["y"], pads=[1] * 4), node("NonZero", ["y"], ["places"])]
    where = helper.make_tensor_value_info("places", TensorProto.INT64, [4, "n"])
    ends = [where, picture("y", 1, 4, 16, 16)]
    save(
        make_graph_model(nodes, [picture("image", 1, 3, 16, 16)], ends, [stored("w", 4, 3, 3, 3)], opset=13),
        tmp_path / "net.onnx",
    )
    loaded, agreement = load_checked(config("net.onnx", {"image": [1, 3, 16, 16]}), tmp_path, ())
    assert [output.name for output in loaded.outputs] == ["y"]
    assert agreement is not None
    assert agreement.psnr_db_worst >= 80
