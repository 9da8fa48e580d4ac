"""Every ONNX operation that is imported gives what ONNX Runtime gives, over its attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, assume, currently_in_test_context, given, reject, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from builder.errors import SourceError, UnsupportedOperation
from builder.sources.onnx.network import import_graph
from builder.sources.onnx.ops import OPS
from tests.builder.sources.onnx_files import Array, make_node_model

FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
EXERCISED: set[str] = set()


def noise(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def reference(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array] | None:
    """Outputs by ONNX Runtime without optimization, None where it refuses the node."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, dict(inputs))
    except Exception:  # the runtime's errors have no common base; a refused node is no case for us
        return None


def compare(
    op: str,
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    *,
    tolerance: float = 2e-5,
    **how: Any,
) -> None:
    """Import one node and run it beside ONNX Runtime on the same inputs."""
    model = make_node_model(op, inputs, constants, **how)
    want = reference(model, inputs)
    if want is None and currently_in_test_context():
        reject()  # a combination that the runtime refuses is no case
    assert want is not None, "ONNX Runtime refuses the node"
    imported = import_graph(model, {name: torch.from_numpy(value.copy()) for name, value in inputs.items()})
    with torch.no_grad():
        raw = imported.module()(*(torch.from_numpy(value.copy()) for value in inputs.values()))
    got = list(raw) if isinstance(raw, tuple) else [raw]
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        assert mine.shape == theirs.shape, (mine.shape, theirs.shape, how)
        assert str(mine.dtype).removeprefix("torch.") == str(theirs.dtype), (mine.dtype, theirs.dtype)
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=tolerance, atol=tolerance)
    EXERCISED.add(op)


@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    dilations=st.lists(st.integers(1, 2), min_size=2, max_size=2),
    pads=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
)
@FEW
def test_conv(
    kernel: tuple[int, int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    auto_pad: str,
    groups: int,
    bias: bool,
) -> None:
    """Convolutions agree for every padding, stride, dilation and group."""
    x, w = noise(1, 4, 9, 8), noise(8, 4 // groups, *kernel, seed=1)
    stored = {"w": w, **({"b": noise(8, seed=2)} if bias else {})}
    how = {"pads": pads} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    compare("Conv", {"x": x}, stored, strides=strides, dilations=dilations, group=groups, **how)


@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    dilations=st.lists(st.integers(1, 2), min_size=2, max_size=2),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    extra=st.lists(st.integers(0, 2), min_size=2, max_size=2),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    groups=st.sampled_from([1, 2]),
)
@FEW
def test_conv_transpose(
    kernel: tuple[int, int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    extra: list[int],
    auto_pad: str,
    groups: int,
) -> None:
    """Transposed convolutions agree, padded differently on their sides too; what cannot be said is refused."""
    assume(all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)))
    stored = {"w": noise(4, 6 // groups, *kernel, seed=1), "b": noise(6, seed=2)}
    how: dict[str, Any] = {"pads": pads} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    try:
        compare(
            "ConvTranspose",
            {"x": noise(1, 4, 5, 6)},
            stored,
            strides=strides,
            dilations=dilations,
            group=groups,
            output_padding=extra,
            **how,
        )
    except UnsupportedOperation as error:
        assert "more than its kernel reaches" in str(error)  # noqa: PT017


@given(
    shape=st.lists(st.integers(9, 12), min_size=2, max_size=2),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]),
)
@FEW
def test_conv_transpose_with_a_stated_output_shape(shape: list[int], auto_pad: str) -> None:
    """The padding is then what is left, on the side that auto_pad says."""
    stored = {"w": noise(4, 3, 4, 4, seed=1)}
    compare("ConvTranspose", {"x": noise(1, 4, 5, 5)}, stored, strides=[2, 2], output_shape=shape, auto_pad=auto_pad)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("axes", [1, 3])
def test_convolutions_over_one_and_three_axes(op: str, axes: int) -> None:
    """The number of spatial axes follows the weight, and a weight may be computed."""
    compare(op, {"x": noise(1, 4, *([6] * axes)), "w": noise(4, 4, *([3] * axes), seed=1)}, strides=[2] * axes)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@given(
    kernel=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    dilations=st.sampled_from([[1, 1], [1, 1], [2, 1]]),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    auto_pad=st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    ceil_mode=st.integers(0, 1),
    include=st.integers(0, 1),
)
@settings(FEW, max_examples=30)
def test_pooling(
    op: str,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    auto_pad: str,
    ceil_mode: int,
    include: int,
) -> None:
    """Pools agree for every padding, ceil_mode and count_include_pad."""
    assume(all(p < k for p, k in zip(pads, kernel * 2, strict=True)))
    assume(not auto_pad.startswith("SAME") or dilations == [1, 1])
    how: dict[str, Any] = {"pads": pads} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    if op == "AveragePool":
        how["count_include_pad"] = include
    else:
        how["dilations"] = dilations
    compare(op, {"x": noise(1, 3, 8, 7)}, kernel_shape=kernel, strides=strides, ceil_mode=ceil_mode, opset=18, **how)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 3, 4, 6)])
def test_global_pooling(op: str, shape: tuple[int, ...]) -> None:
    """All spatial axes become one element."""
    compare(op, {"x": noise(*shape)})


@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(
        ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]
    ),
    rounding=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    scales=st.lists(st.sampled_from([0.5, 0.6, 1.0, 1.3, 2.0, 3.0, 4.0]), min_size=2, max_size=2),
    by_size=st.booleans(),
    outside=st.integers(0, 1),
    coefficient=st.sampled_from([-0.75, -0.5]),
)
@settings(FEW, max_examples=120)
def test_resize(
    mode: str, coordinates: str, rounding: str, scales: list[float], by_size: bool, outside: int, coefficient: float
) -> None:
    """Every mode of interpolation, coordinates and rounding agrees, by scales and by sizes."""
    shape = (1, 2, 6, 5)
    assume(not (outside and mode != "cubic"))
    # The last bit of ONNX Runtime's sum decides which neighbour is nearest there; an import that differs is refused by its gate.
    assume(not (mode == "nearest" and coordinates == "half_pixel_symmetric" and {0.6, 1.3} & set(scales)))
    if by_size:
        sizes = np.array([1, 2, *(math.floor(n * s) for n, s in zip(shape[2:], scales, strict=True))], np.int64)
        stored, order = {"sizes": sizes}, ["x", "", "", "sizes"]
    else:
        stored, order = {"scales": np.array([1, 1, *scales], np.float32)}, ["x", "", "scales"]
    compare(
        "Resize",
        {"x": noise(*shape)},
        stored,
        order=order,
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
        exclude_outside=outside,
        cubic_coeff_a=coefficient,
        opset=19,
        tolerance=1e-4,
    )


@given(
    starts=st.lists(st.integers(-9, 9), min_size=2, max_size=2),
    ends=st.lists(st.integers(-9, 9) | st.sampled_from([2**62, -(2**62)]), min_size=2, max_size=2),
    steps=st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=2, max_size=2),
    axes=st.sampled_from([[0, 1], [2, 1], [-1, -2], [3, 0]]),
)
@settings(FEW, max_examples=60)
def test_slice(starts: list[int], ends: list[int], steps: list[int], axes: list[int]) -> None:
    """Slices agree for steps of both signs, axes from the end, and limits beyond the tensor."""
    stored = {k: np.array(v, np.int64) for k, v in (("s", starts), ("e", ends), ("a", axes), ("t", steps))}
    compare("Slice", {"x": noise(3, 4, 5, 6)}, stored)


@given(
    mode=st.sampled_from(["constant", "reflect", "edge", "wrap"]),
    pads=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    axes=st.sampled_from([[2, 3], [-1, -2], None]),
    value=st.sampled_from([None, 1.5]),
)
@settings(FEW, max_examples=40)
def test_pad(mode: str, pads: list[int], axes: list[int] | None, value: float | None) -> None:
    """Pads agree in every mode, over stated axes and over all."""
    full = [0, 0, *pads[:2], 0, 0, *pads[2:]] if axes is None else pads
    stored: dict[str, Array] = {"p": np.array(full, np.int64)}
    order = ["x", "p"]
    if value is not None:
        stored["v"] = np.array(value, np.float32)
    if axes is not None:
        stored["a"] = np.array(axes, np.int64)
        order += ["v" if value is not None else "", "a"]
    elif value is not None:
        order.append("v")
    compare("Pad", {"x": noise(1, 2, 6, 5)}, stored, order=order, mode=mode, opset=19)


@pytest.mark.parametrize("pads", [[1, 0, -1, 0, 0, 2, 0, -2], [0, 0, -2, 1, 0, 0, 3, -1]])
def test_pad_of_any_axis_and_sign(pads: list[int]) -> None:
    """Constant padding may be negative and over any axis."""
    compare("Pad", {"x": noise(2, 3, 6, 5)}, {"p": np.array(pads, np.int64)})


UNARY = [
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Mish", "Neg", "Relu", "Round", "Sigmoid", "Sign", "Sin",
    "Softplus", "Softsign", "Tan", "Tanh", "Atan", "Asinh", "Cosh", "Sinh", "IsNaN",
]  # fmt: skip


@pytest.mark.parametrize("op", UNARY)
def test_unary(op: str) -> None:
    """Elementwise functions of one tensor agree, ties of rounding included."""
    x = np.concatenate([noise(2, 3, 4).ravel(), np.array([-1.5, -0.5, 0.0, 0.5, 1.5, 2.5], np.float32)])
    compare(op, {"x": x})


@pytest.mark.parametrize("op", ["Acos", "Asin", "Atanh"])
def test_unary_of_sines(op: str) -> None:
    """Functions of numbers between -1 and 1."""
    compare(op, {"x": noise(2, 3, low=-0.9, high=0.9)})


def test_unary_of_numbers_above_one() -> None:
    compare("Acosh", {"x": noise(2, 3, low=1.1, high=3.0)})


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_unary_of_positive_numbers(op: str) -> None:
    """Functions that need positive numbers agree on them."""
    compare(op, {"x": noise(2, 3, low=0.1, high=4.0)})


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("LeakyRelu", {"alpha": 0.2}), ("LeakyRelu", {}), ("Elu", {"alpha": 0.7}), ("Selu", {}), ("Selu", {"alpha": 1.2, "gamma": 0.9}),
        ("Celu", {"alpha": 0.6}), ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}), ("ThresholdedRelu", {"alpha": 0.4}),
        ("Gelu", {}), ("Gelu", {"approximate": "tanh"}), ("LpNormalization", {"axis": 1, "p": 1}), ("LpNormalization", {"axis": -1, "p": 2}),
        ("MeanVarianceNormalization", {}), ("LRN", {"size": 3, "alpha": 0.3, "bias": 2.0}), ("MeanVarianceNormalization", {"axes": [2, 3]}), ("ArgMax", {"axis": -1}),
        ("ArgMin", {"axis": 1, "keepdims": 0}), ("Flatten", {"axis": 2}), ("Flatten", {"axis": -1}), ("Flatten", {"axis": 0}),
        ("Transpose", {}), ("Transpose", {"perm": [0, 2, 3, 1]}), ("SpaceToDepth", {"blocksize": 2}),
        ("DepthToSpace", {"blocksize": 2, "mode": "DCR"}), ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}),
        ("Cast", {"to": TensorProto.INT64}), ("Cast", {"to": TensorProto.BOOL}), ("Cast", {"to": TensorProto.DOUBLE}),
        ("Swish", {"alpha": 1.0}), ("Swish", {"alpha": 1.5}),
    ],
)  # fmt: skip
def test_attributes_of_one_tensor(op: str, attributes: dict[str, Any]) -> None:
    """Operations with attributes agree, defaults included."""
    x = noise(1, 4, 6, 4)
    if op == "Swish":
        model = make_node_model(op, {"x": x}, opset=24, **attributes)
        with torch.no_grad():  # ONNX Runtime has no opset 24 kernels; the specification is x * sigmoid(alpha * x)
            got = import_graph(model, {"x": torch.from_numpy(x)}).module()(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(got, x / (1 + np.exp(-attributes["alpha"] * x)), rtol=1e-5, atol=1e-5)
        EXERCISED.add(op)
        return
    compare(op, {"x": x}, opset=20, **attributes)


def draw_shapes_that_broadcast() -> st.SearchStrategy[tuple[tuple[int, ...], tuple[int, ...]]]:
    pairs = [
        ((2, 3, 4), (2, 3, 4)),
        ((2, 3, 4), (4,)),
        ((3, 1), (2, 1, 4)),
        ((2, 3), ()),
        ((2, 3), (1,)),
        ((4,), (2, 1, 1)),
        ((1,), (1, 1)),
    ]
    return st.sampled_from([*pairs, *((b, a) for a, b in pairs)])


@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Mod", "PRelu"],
)  # fmt: skip
@given(shapes=draw_shapes_that_broadcast(), stored=st.sampled_from(["none", "left", "right"]))
@settings(FEW, max_examples=10)
def test_binary(op: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], stored: str) -> None:
    """Operations of two tensors agree for all broadcasting, with either side stored; a slope of PRelu may not widen its input."""
    assume(op != "PRelu" or np.broadcast_shapes(*shapes) == shapes[0])
    a, b = noise(*shapes[0], seed=1, low=0.2), noise(*shapes[1], seed=2, low=0.2)
    attributes = {"fmod": 1} if op == "Mod" else {}
    if stored == "left":
        compare(op, {"b": b}, {"a": a}, order=["a", "b"], **attributes)
    elif stored == "right":
        compare(op, {"a": a}, {"b": b}, **attributes)
    else:
        compare(op, {"a": a, "b": b}, **attributes)


@pytest.mark.parametrize("op", ["Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_tensors(op: str, count: int) -> None:
    """Variadic operations agree and broadcast."""
    compare(op, {f"x{i}": noise(2, 3, 4, seed=i) if i != 1 else noise(4, seed=i) for i in range(count)})


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(op: str) -> None:
    """Truth values combine with broadcasting."""
    compare(op, {"a": noise(2, 3) > 0, "b": noise(3, seed=1) > 0})


def test_not_where_and_cast_like() -> None:
    """Conditions select and negate; types follow another tensor."""
    condition = noise(2, 3) > 0
    compare("Not", {"x": condition})
    compare("Where", {"c": condition, "a": noise(2, 3, seed=1), "b": noise(3, seed=2)})
    compare("CastLike", {"x": noise(2, 3), "t": np.zeros(1, np.int64)})


@pytest.mark.parametrize(
    ("op", "numbers"), [("Div", [-7, 7, 5]), ("Mod", [-7, 7, 5]), ("Sub", [1, 2, 3]), ("Pow", [2, 3, -2])]
)
def test_whole_numbers(op: str, numbers: list[int]) -> None:
    """Integers divide and take remainders as ONNX says."""
    compare(op, {"a": np.array(numbers, np.int64), "b": np.array([2, 3, 2], np.int64)})


@pytest.mark.parametrize("limits", [("lo", "hi"), ("lo", ""), ("", "hi"), ("zero", ""), ("zero", "hi"), ("", "")])
def test_clip(limits: tuple[str, str]) -> None:
    """Either limit may be left out."""
    values = {"lo": -0.5, "hi": 0.8, "zero": 0.0}
    stored = {name: np.array(values[name], np.float32) for name in limits if name}
    compare("Clip", {"x": noise(3, 4)}, stored, order=["x", *limits])


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@given(axis=st.integers(-3, 2), opset=st.sampled_from([11, 13]))
@FEW
def test_softmax(op: str, axis: int, opset: int) -> None:
    """Along one axis since opset 13, over a matrix before."""
    compare(op, {"x": noise(2, 3, 4)}, axis=axis, opset=opset)


@pytest.mark.parametrize("slope", [(1,), (3, 1, 1), (1, 3, 1, 1), (4,)])
def test_prelu(slope: tuple[int, ...]) -> None:
    """One slope, one a channel, and any other that broadcasts."""
    compare("PRelu", {"x": noise(1, 3, 4, 4)}, {"slope": noise(*slope, seed=1)})


def test_dropout_is_the_identity() -> None:
    """In inference mode nothing is dropped."""
    compare("Dropout", {"x": noise(3, 4)}, {"ratio": np.array(0.5, np.float32)})


REDUCTIONS = [
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare",
]  # fmt: skip


@pytest.mark.parametrize("op", REDUCTIONS)
@given(
    axes=st.sampled_from([None, [0], [-1], [1, 2], [2, 0], []]),
    keep=st.integers(0, 1),
    noop=st.integers(0, 1),
)
@settings(FEW, max_examples=10)
def test_reductions(op: str, axes: list[int] | None, keep: int, noop: int) -> None:
    """Reductions agree over given axes, over all and over none."""
    stored = {} if axes is None else {"axes": np.array(axes, np.int64)}
    compare(op, {"x": noise(2, 3, 4, low=0.1)}, stored, keepdims=keep, noop_with_empty_axes=noop)


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax"])
def test_reductions_with_axes_as_an_attribute(op: str) -> None:
    """Before opset 18 the axes were an attribute."""
    compare(op, {"x": noise(2, 3, 4)}, opset=13, axes=[1, -1], keepdims=0)


def test_norms() -> None:
    """Batch, instance, layer and RMS norms agree with stored and computed scales."""
    x, scale, bias = noise(2, 4, 5, 6), noise(4, seed=1), noise(4, seed=2)
    compare(
        "BatchNormalization",
        {"x": x},
        {"s": scale, "b": bias, "m": noise(4, seed=3), "v": noise(4, seed=4, low=0.2)},
        epsilon=1e-3,
    )
    compare("InstanceNormalization", {"x": x}, {"s": scale, "b": bias})
    compare("InstanceNormalization", {"x": x, "s": scale, "b": bias})
    for axis, shape in ((-1, (6,)), (2, (5, 6)), (1, (4, 5, 6))):
        compare("LayerNormalization", {"x": x}, {"s": noise(*shape, seed=1), "b": noise(*shape, seed=2)}, axis=axis)
    compare("LayerNormalization", {"x": x}, {"s": noise(6, seed=1)})
    compare("RMSNormalization", {"x": x}, {"s": noise(6, seed=1)}, opset=23, epsilon=1e-4)


@pytest.mark.parametrize(("opset", "count"), [(18, 2), (21, 4)])
def test_group_norm(opset: int, count: int) -> None:
    """Scale and bias are by group until opset 20, by channel since."""
    x, stored = noise(2, 4, 5, 6), {"s": noise(count, seed=1), "b": noise(count, seed=2)}
    compare("GroupNormalization", {"x": x}, stored, num_groups=2, opset=opset)


@given(
    turned=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    alpha=st.sampled_from([1.0, 0.5]),
    beta=st.sampled_from([1.0, 2.0]),
    added=st.sampled_from([None, (), (1,), (5,), (1, 5), (3, 1), (3, 5)]),
    stored=st.booleans(),
)
@settings(FEW, max_examples=60)
def test_gemm(turned: tuple[int, int], alpha: float, beta: float, added: tuple[int, ...] | None, stored: bool) -> None:
    """Gemm agrees for every transposition, factor and shape of what is added, stored or computed."""
    a = noise(4, 3) if turned[0] else noise(3, 4)
    rest: dict[str, Array] = {"b": noise(5, 4, seed=1) if turned[1] else noise(4, 5, seed=1)}
    if added is not None:
        rest["c"] = noise(*added, seed=2)
    inputs = {"a": a} if stored else {"a": a, **rest}
    compare("Gemm", inputs, rest if stored else {}, transA=turned[0], transB=turned[1], alpha=alpha, beta=beta)


@pytest.mark.parametrize(
    ("left", "right"), [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((4,), (4, 5)), ((2, 3, 4), (4,)), ((2, 1, 3, 4), (5, 4, 2))]
)  # fmt: skip
@pytest.mark.parametrize("stored", [True, False])
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], stored: bool) -> None:
    """Matrix products agree for all ranks; with a stored matrix they are linear layers."""
    a, b = noise(*left), noise(*right, seed=1)
    compare("MatMul", {"a": a}, {"b": b}) if stored else compare("MatMul", {"a": a, "b": b})


def test_einsum() -> None:
    """Einstein sums go to torch's."""
    compare("Einsum", {"a": noise(2, 3, 4), "b": noise(2, 4, 5, seed=1)}, equation="bij,bjk->bik")


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, "float", "bool"])
@pytest.mark.parametrize("packed", [True, False])
def test_attention(causal: int, mask: str | None, packed: bool) -> None:
    """Attention of opset 23 agrees: packed heads, shared key heads, masks, causal."""
    if packed:
        inputs = {"q": noise(1, 5, 16), "k": noise(1, 6, 8, seed=1), "v": noise(1, 6, 8, seed=2)}
        how: dict[str, Any] = {"q_num_heads": 4, "kv_num_heads": 2}
    else:
        inputs, how = {n: noise(1, 2, 5 if n == "q" else 6, 4, seed=i) for i, n in enumerate("qkv")}, {"scale": 0.3}
    if mask is not None:
        inputs["mask"] = noise(5, 6, seed=3) if mask == "float" else (noise(5, 6, seed=3) > -1.5)
        inputs["mask"][:, 0] = 1  # a row that sees nothing has no defined result
    compare("Attention", inputs, opset=23, is_causal=causal, **how)


def test_shapes() -> None:
    """Reshape, Squeeze, Unsqueeze, Expand, Tile, Concat and Split agree."""
    x = noise(1, 4, 1, 6)
    for target in ([0, -1], [2, 2, 6], [0, 0, 3, 2], [-1]):
        compare("Reshape", {"x": x}, {"s": np.array(target, np.int64)})
    compare("Reshape", {"x": noise(0, 3)}, {"s": np.array([3, 0], np.int64)}, allowzero=1)
    compare("Squeeze", {"x": x}, {"a": np.array([0, -2], np.int64)})
    compare("Squeeze", {"x": x})
    compare("Squeeze", {"x": x}, opset=11, axes=[2])
    compare("Unsqueeze", {"x": noise(3, 4)}, {"a": np.array([0, -1], np.int64)})
    compare("Unsqueeze", {"x": noise(3, 4)}, opset=11, axes=[1, 3])
    compare("Expand", {"x": noise(3, 1)}, {"s": np.array([2, 1, 4], np.int64)})
    compare("Tile", {"x": noise(2, 3)}, {"r": np.array([2, 3], np.int64)})
    compare("Concat", {"a": noise(2, 3), "b": noise(2, 2, seed=1)}, axis=-1)
    compare("Split", {"x": noise(2, 6)}, {"s": np.array([1, 3, 2], np.int64)}, axis=1, outputs=3)
    compare("Split", {"x": noise(2, 7)}, axis=-1, outputs=3, num_outputs=3)
    compare("Split", {"x": noise(2, 6)}, opset=11, axis=1, split=[2, 4], outputs=2)
    for upper in (0, 1):
        compare("Trilu", {"x": noise(4, 5)}, {"k": np.array(1, np.int64)}, upper=upper)


@given(
    indices=st.sampled_from(
        [
            np.array(1),
            np.array(-1),
            np.array([0, 2, 1]),
            np.array([1, 2]),
            np.array([[0, -1], [2, 1]]),
            np.array([2, 2]),
        ]
    ),
    axis=st.integers(-3, 2),
)
@FEW
def test_gather(indices: Array, axis: int) -> None:
    """Stored indices of any shape, from the end too."""
    compare("Gather", {"x": noise(3, 4, 5)}, {"i": indices.astype(np.int64)}, axis=axis)


def test_gather_by_a_computed_index() -> None:
    """A style's number picks its row; GatherElements picks by element."""
    compare("Gather", {"i": np.array([2], np.int64)}, {"x": noise(4, 5)}, order=["x", "i"])
    compare("GatherElements", {"x": noise(3, 4), "i": np.array([[0, -1], [2, 1], [1, 1]], np.int64)}, axis=1)


@pytest.mark.parametrize("op", ["Shape", "Size", "ConstantOfShape", "Range", "EyeLike", "Constant"])
def test_what_needs_no_input_is_folded(op: str) -> None:
    """Values that follow from shapes alone become constants of what uses them."""
    x = noise(3, 4)
    made = {
        "Shape": helper.make_node("Shape", ["x"], ["v"], start=-1),
        "Size": helper.make_node("Size", ["x"], ["v"]),
        "ConstantOfShape": helper.make_node(
            "ConstantOfShape", ["n"], ["v"], value=helper.make_tensor("", TensorProto.FLOAT, [1], [2.5])
        ),
        "Range": helper.make_node("Range", ["zero", "four", "one"], ["v"]),
        "EyeLike": helper.make_node("EyeLike", ["x"], ["v"], k=1),
        "Constant": helper.make_node("Constant", [], ["v"], value_floats=[1.0, 2.0, 3.0, 4.0]),
    }[op]
    nodes = [
        made,
        helper.make_node("Cast", ["v"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    stored = [helper.make_tensor("n", TensorProto.INT64, [2], [1, 4])]
    stored += [helper.make_tensor(n, TensorProto.INT64, [], [v]) for n, v in (("zero", 0), ("four", 4), ("one", 1))]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])],
        [helper.make_empty_tensor_value_info("y")],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    want = reference(model, {"x": x})
    assert want is not None
    imported = import_graph(model, {"x": torch.from_numpy(x)})
    assert [step.op for step in imported.steps] == ["Add"]
    np.testing.assert_allclose(imported.module()(torch.from_numpy(x)).numpy(), want[0])
    EXERCISED.add(op)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("outside", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [0, 1])
def test_grid_sample(mode: str, outside: str, corners: int) -> None:
    """Places inside, on the edge of, and outside the picture."""
    inputs = {"x": noise(2, 3, 5, 7), "grid": noise(2, 4, 6, 2, seed=1, low=-1.3, high=1.3)}
    settings = {"mode": mode, "padding_mode": outside, "align_corners": corners}
    compare("GridSample", inputs, opset=20, tolerance=1e-4, **settings)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scattering(reduction: str) -> None:
    """By element along an axis, indices from the end too; and whole rows at tuples of indices."""
    places = {"i": np.array([[0, -1, 2], [3, 0, 1]], np.int64)}
    compare("ScatterElements", {"x": noise(4, 3), **places, "u": noise(2, 3, seed=1)}, axis=0, reduction=reduction)
    rows = {"i": np.array([[0, 1], [-1, 2]], np.int64)}
    compare("ScatterND", {"x": noise(3, 4, 5), **rows, "u": noise(2, 5, seed=1)}, reduction=reduction)


def test_gathering_summing_and_sorting() -> None:
    """Tuples of indices, running sums both ways, and the largest values with their places."""
    compare("GatherND", {"x": noise(3, 4, 5), "i": np.array([[[0, 1]], [[-1, 2]]], np.int64)})
    for exclusive in (0, 1):
        for backwards in (0, 1):
            compare(
                "CumSum", {"x": noise(3, 4)}, {"axis": np.array(-1, np.int64)}, exclusive=exclusive, reverse=backwards
            )
    for largest in (0, 1):
        compare("TopK", {"x": noise(3, 7)}, {"k": np.array([3], np.int64)}, outputs=2, largest=largest)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_layers_over_a_sequence_are_those_of_torch(op: str, gates: int, direction: str) -> None:
    """Gates stand in another order, and each direction has weights of its own; with and without bias and a state to begin with."""
    directions, hidden, more = (
        (2 if direction == "bidirectional" else 1),
        3,
        {"linear_before_reset": 1} if op == "GRU" else {},
    )
    stored = {
        "w": noise(directions, gates * hidden, 5), "r": noise(directions, gates * hidden, hidden), "b": noise(directions, 2 * gates * hidden),
        "start": noise(directions, 2, hidden), "cell": noise(directions, 2, hidden),
    }  # fmt: skip
    state = ["start", "cell"] if op == "LSTM" else ["start"]
    for order in (["x", "w", "r"], ["x", "w", "r", "b"], ["x", "w", "r", "b", "", *state]):
        used = {name: stored[name] for name in order if name in stored}
        for outputs in (1, len(state) + 1):
            compare(
                op,
                {"x": noise(4, 2, 5)},
                used,
                order=order,
                outputs=outputs,
                hidden_size=hidden,
                direction=direction,
                **more,
            )


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("GRU", {}, "resets before its matrix product"),
        ("LSTM", {"clip": 1.0}, "clips"),
        ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "has the activations sigmoid, relu, tanh"),
    ],
)
def test_a_recurrence_of_another_form_is_named(op: str, attributes: dict[str, Any], message: str) -> None:
    """What torch has no layer for is no layer of another kind."""
    gates = 4 if op == "LSTM" else 3
    stored = {"w": noise(1, gates * 3, 5), "r": noise(1, gates * 3, 3)}
    model = make_node_model(op, {"x": noise(4, 2, 5)}, stored, hidden_size=3, **attributes)
    with pytest.raises(UnsupportedOperation, match=message):
        import_graph(model, {"x": torch.zeros(4, 2, 5)})


def test_blocks_of_a_picture_go_back_to_their_places() -> None:
    """Overlaps are added; padding is cut off."""
    stored = {"size": np.array([6, 5], np.int64), "block": np.array([3, 3], np.int64)}
    compare("Col2Im", {"x": noise(2, 2 * 9, 30)}, stored, pads=[1, 1, 1, 1])
    compare("Col2Im", {"x": noise(1, 9, 6)}, stored, strides=[2, 1])


@pytest.mark.parametrize("masked", [False, True])
def test_deformable_convolution(masked: bool) -> None:
    """Against torch: every tap of the kernel reads beside its place, by parts of the channels."""
    from onnx.reference import ReferenceEvaluator

    inputs = {
        "x": noise(1, 4, 6, 5),
        "w": noise(2, 2, 3, 3, seed=1),
        "o": noise(1, 36, 6, 5, seed=2),
        "b": noise(2, seed=3),
    }
    inputs |= {"m": noise(1, 18, 6, 5, seed=4)} if masked else {}
    stored = {name: inputs.pop(name) for name in ("w", "b")}
    order = ["x", "w", "o", "b", *(["m"] if masked else [])]
    how = {"pads": [1, 1, 1, 1], "group": 2, "offset_group": 2}
    model = make_node_model("DeformConv", inputs, stored, order=order, opset=19, **how)
    want = ReferenceEvaluator(model).run(None, dict(inputs))
    imported = import_graph(model, {name: torch.from_numpy(value) for name, value in inputs.items()})
    got = imported.module()(*(torch.from_numpy(value) for value in inputs.values()))
    np.testing.assert_allclose(got.numpy(), want[0], rtol=1e-4, atol=1e-4)
    EXERCISED.add("DeformConv")


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_quantize_and_dequantize(kind: type) -> None:
    """A pair rounds and clamps as ONNX Runtime does, ties to even, by tensor and by channel."""
    x = np.concatenate([noise(1, 3, 5, 5, high=9.0).ravel(), np.array([0.05, 0.15, 0.25], np.float32)])
    zero = np.array(3, kind)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    stored = [onnx.numpy_helper.from_array(np.array(0.1, np.float32), "s"), onnx.numpy_helper.from_array(zero, "z")]
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values, [helper.make_empty_tensor_value_info("y")], stored),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=10,
    )  # fmt: skip
    want = reference(model, {"x": x})
    assert want is not None
    imported = import_graph(model, {"x": torch.from_numpy(x)})
    np.testing.assert_allclose(imported.module()(torch.from_numpy(x)).numpy(), want[0], atol=1e-6)
    assert imported.quantized
    EXERCISED.update(("QuantizeLinear", "DequantizeLinear"))


REFUSED: list[tuple[str, Sequence[int], dict[str, Any], str]] = [
    ("Resize", (1, 2, 4, 4), {"mode": "linear", "antialias": 1}, "antialias=False"),
    ("Resize", (1, 2, 4, 4), {"coordinate_transformation_mode": "tf_crop_and_resize"}, "use one of half_pixel"),
    ("MaxPool", (1, 2, 4, 4), {"kernel_shape": [2, 2], "outputs": 2}, "first output only"),
    (
        "MaxPool",
        (1, 2, 6, 6),
        {"kernel_shape": [2, 2], "dilations": [2, 2], "auto_pad": "SAME_UPPER"},
        "state its pads",
    ),
    ("AveragePool", (1, 2, 6, 6), {"kernel_shape": [2, 2], "dilations": [2, 2], "opset": 19}, "without dilations"),
    ("ArgMax", (3, 4), {"select_last_index": 1}, "select_last_index=0"),
    ("NonMaxSuppression", (1, 3, 4), {}, "end the model before it"),
    ("Softmx", (3, 4), {}, "nearest operation that is supported is Softmax"),
    ("RNN", (3, 4, 5), {"hidden_size": 2}, "has no importer"),
]


@pytest.mark.parametrize(("op", "shape", "attributes", "cure"), REFUSED)
def test_what_is_not_known_names_the_node_and_the_nearest_form(
    op: str, shape: Sequence[int], attributes: dict[str, Any], cure: str
) -> None:
    """An operation or a form of one that has no importer is refused by name, with what to do."""
    x = noise(*shape)
    stored = {"scales": np.array([1, 1, 2, 2], np.float32)} if op == "Resize" else {}
    order = ["x", "", "scales"] if op == "Resize" else None
    model = make_node_model(op, {"x": x}, stored, order=order, **attributes)
    with pytest.raises(UnsupportedOperation, match=r"node 'the_node'") as caught:
        import_graph(model, {"x": torch.from_numpy(x)})
    assert cure in str(caught.value)


def test_a_node_that_rejects_its_shapes_is_named() -> None:
    """Shapes that do not fit each other are told with the node."""
    model = make_node_model("Add", {"a": noise(3, 4), "b": noise(2, 4)})
    with pytest.raises(SourceError, match=r"node 'the_node' \(Add\) rejects inputs of shapes \[3, 4\], \[2, 4\]"):
        import_graph(model, {"a": torch.zeros(3, 4), "b": torch.zeros(2, 4)})


def test_every_importer_was_compared() -> None:
    """No operation is imported without a comparison in this file (run the file as a whole)."""
    assert sorted(set(OPS) - EXERCISED - {"Upsample"}) == []
