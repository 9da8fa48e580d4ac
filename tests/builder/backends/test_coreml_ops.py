"""Every MIL op that the interpreter knows, through a real converted package, against torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.backends import coreml
from builder.backends.coreml.interpreter import Interpreter
from builder.backends.coreml.ops import OPS
from builder.backends.coreml.program import computing_ops, list_variables, load_program
from builder.bundle import TensorSpec
from builder.errors import VerificationError
from tests.builder.backends.test_coreml_more_ops import MORE
from tests.builder.models import expected, export, plan_of

# coremltools warns of its own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Function = Callable[[Tensor], Tensor]
# Of programs whose sizes are not known beforehand, which these are not.
UNREACHED = {"shape", "fill_like", "range_1d"}
SHAPE = (1, 4, 6, 8)


class Many(nn.Module):
    """Each function of the same input as an output of its own: one conversion for all."""

    def __init__(self, functions: list[Function | nn.Module]) -> None:
        super().__init__()
        self.functions = functions
        self.members = nn.ModuleList([f for f in functions if isinstance(f, nn.Module)])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(x) for function in self.functions)


def seeded(layer: Callable[[], nn.Module]) -> nn.Module:
    """A layer whose parameters and statistics are all random, so that none is ignored without a trace."""
    torch.manual_seed(1)
    made = layer()
    with torch.no_grad():
        for value in (*made.parameters(), *made.buffers()):
            if value.is_floating_point():
                value.uniform_(0.2, 1.0)
    return made


def table(size: int) -> Tensor:
    return torch.linspace(0.5, 2.0, size)


# (MIL op that must be in the package, what is called, input's shape)
CASES: list[tuple[str, Function | nn.Module, tuple[int, ...]]] = [
    ("abs", lambda x: torch.abs(x - 0.5), SHAPE),
    ("add", lambda x: x + x * x + table(8), SHAPE),
    ("avg_pool", nn.AvgPool2d(3, stride=2, padding=1), SHAPE),
    ("avg_pool", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), SHAPE),
    ("avg_pool", nn.AvgPool2d((2, 4)), SHAPE),
    ("batch_norm", seeded(lambda: nn.BatchNorm2d(4)), SHAPE),
    ("cast", lambda x: (x > 0.5).float(), SHAPE),
    ("ceil", lambda x: torch.ceil(4 * x), SHAPE),
    ("clip", nn.Hardtanh(0.2, 0.7), SHAPE),
    ("concat", lambda x: torch.cat([x, 2 * x[:, :1]], 1), SHAPE),
    ("conv", seeded(lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2)), SHAPE),
    ("conv", seeded(lambda: nn.Conv2d(4, 8, 3, padding="same", bias=False)), SHAPE),
    ("conv", seeded(lambda: nn.Conv1d(4, 3, 3, padding=1)), (1, 4, 9)),
    ("conv_transpose", seeded(lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2)), SHAPE),
    ("conv_transpose", seeded(lambda: nn.ConvTranspose2d(4, 2, (2, 4), stride=(1, 2), bias=False)), SHAPE),
    ("concat", lambda x: torch.stack([x, 2 * x], 2).flatten(1, 2), SHAPE),
    ("cos", torch.cos, SHAPE),
    ("crop", seeded(lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1)), SHAPE),
    ("elu", lambda x: F.elu(x - 0.5, 1.3), SHAPE),
    ("equal", lambda x: (torch.floor(3 * x) == 1).float(), SHAPE),
    ("erf", torch.erf, SHAPE),
    ("exp", torch.exp, SHAPE),
    ("expand_dims", lambda x: x.mean((2, 3))[:, :, None, None] * x, SHAPE),
    ("floor", lambda x: torch.floor(4 * x), SHAPE),
    ("gather", lambda x: torch.index_select(x, 1, torch.tensor([3, 0, 0])), SHAPE),
    ("gelu", lambda x: F.gelu(4 * x - 2), SHAPE),
    ("tanh", lambda x: F.gelu(4 * x - 2, approximate="tanh"), (1, 7)),
    (
        "floor",
        lambda x: torch.remainder(3 * x, 1.0) - (3 * x) // 1 + torch.div(3 * x, 1.0, rounding_mode="trunc"),
        SHAPE,
    ),
    ("floor", lambda x: torch.fmod(x - 0.5, 0.3) + torch.fmod(x - 0.4, x + 0.2) + torch.trunc(3 * x - 1.5), SHAPE),
    ("mul", lambda x: torch.lerp(x, 1 - x, 0.3) + torch.lerp(x, 1 - x, x) + torch.addcmul(x, x, x, value=0.5), SHAPE),
    ("greater", lambda x: torch.where(x > 0.5, x, -x), SHAPE),
    ("matmul", lambda x: x.mean(1).transpose(1, 2) @ x.mean(1).transpose(1, 2).transpose(1, 2), SHAPE),
    ("greater_equal", lambda x: torch.where(x >= 0.5, x, -x), SHAPE),
    ("instance_norm", seeded(lambda: nn.InstanceNorm2d(4, affine=True)), SHAPE),
    ("layer_norm", seeded(lambda: nn.LayerNorm((6, 8))), SHAPE),
    ("layer_norm", seeded(lambda: nn.LayerNorm(8)), SHAPE),
    ("leaky_relu", lambda x: F.leaky_relu(x - 0.5, 0.2), SHAPE),
    ("less", lambda x: torch.where(x < 0.5, x, -x), SHAPE),
    ("less_equal", lambda x: torch.where(x <= 0.5, x, -x), SHAPE),
    ("linear", seeded(lambda: nn.Linear(8, 5)), SHAPE),
    ("log", lambda x: torch.log(x + 1), SHAPE),
    ("matmul", lambda x: x @ (x + 1).transpose(-1, -2), SHAPE),
    ("max_pool", nn.MaxPool2d(3, stride=2, padding=1), SHAPE),
    ("max_pool", nn.MaxPool2d(3, stride=2, ceil_mode=True), (1, 4, 8, 8)),
    ("maximum", lambda x: torch.maximum(x, 1 - x), SHAPE),
    ("minimum", lambda x: torch.minimum(x, 1 - x), SHAPE),
    ("mul", lambda x: x * table(8) * x, SHAPE),
    ("pad", nn.ReflectionPad2d((1, 2, 3, 0)), SHAPE),
    ("pad", nn.ReflectionPad1d((1, 2)), (1, 4, 9)),
    ("pad", nn.ReplicationPad2d((1, 2, 3, 0)), SHAPE),
    ("pad", lambda x: F.pad(x, (1, 2, 3, 0, 0, 1), value=0.25), SHAPE),
    ("pixel_shuffle", nn.PixelShuffle(2), SHAPE),
    ("pixel_unshuffle", nn.PixelUnshuffle(2), SHAPE),
    ("pow", lambda x: (x + 1) ** 2.5, SHAPE),
    ("prelu", seeded(lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.PReLU(4))), SHAPE),
    ("real_div", lambda x: x / (1 + x * x), SHAPE),
    ("real_div", lambda x: torch.reciprocal(x + 0.01), SHAPE),
    ("real_div", lambda x: (x + 0.01).detach().reciprocal(), SHAPE),
    ("reduce_argmax", lambda x: torch.argmax(x, 1).to(torch.int32), SHAPE),
    ("reduce_max", lambda x: torch.amax(x, (2, 3)), SHAPE),
    ("reduce_mean", lambda x: x.mean((1, 2, 3), keepdim=True), SHAPE),
    ("reduce_mean", nn.AdaptiveAvgPool2d(1), SHAPE),
    ("reduce_min", lambda x: torch.amin(x, 1, keepdim=True), SHAPE),
    ("reduce_sum", lambda x: x.sum(-1), SHAPE),
    ("relu", lambda x: torch.relu(x - 0.5), SHAPE),
    ("relu6", lambda x: F.relu6(20 * x - 5), SHAPE),
    ("reshape", lambda x: x.reshape(1, 8, 24) + table(24), SHAPE),
    ("reverse", lambda x: x.flip((1, 3)), SHAPE),
    ("rsqrt", lambda x: torch.rsqrt(x + 1), SHAPE),
    ("select", lambda x: torch.where(x > 0.5, x * 2, x), SHAPE),
    ("sigmoid", torch.sigmoid, SHAPE),
    ("sigmoid_hard", lambda x: F.hardsigmoid(10 * x - 5), SHAPE),
    ("sign", lambda x: torch.sign(x - 0.5), SHAPE),
    ("silu", nn.SiLU(), SHAPE),
    ("sin", torch.sin, SHAPE),
    ("slice_by_index", lambda x: x[:, 1:3, ::2, -3:-1], SHAPE),
    ("slice_by_index", lambda x: x[:, 2], SHAPE),
    ("softmax", lambda x: torch.softmax(5 * x, 1), SHAPE),
    ("softplus", nn.Softplus(), SHAPE),
    ("split", lambda x: torch.mul(*torch.chunk(x, 2, 1)), SHAPE),
    ("split", lambda x: torch.split(x, [1, 3], 1)[1] + torch.split(x, [1, 3], 1)[0], SHAPE),
    ("sqrt", lambda x: torch.sqrt(x + 1), SHAPE),
    ("squeeze", lambda x: x.mean((2, 3), keepdim=True).squeeze(-1).squeeze(-1) * 2, SHAPE),
    ("stack", lambda x: torch.stack([x, x * 2], 1), SHAPE),
    ("sub", lambda x: x - x * x - table(8), SHAPE),
    ("tanh", torch.tanh, SHAPE),
    ("tile", lambda x: x.repeat(1, 2, 1, 3), SHAPE),
    ("transpose", lambda x: x.permute(0, 2, 3, 1).contiguous(), SHAPE),
    ("upsample_bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), SHAPE),
    ("upsample_bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), SHAPE),
    ("upsample_nearest_neighbor", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), SHAPE),
]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one case gave, in the interpreter and in torch, and the ops that made it."""

    ops: set[str]
    actual: Array
    wanted: Array


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    """All cases, by their number: one package an input shape."""
    found: dict[int, Ran] = {}
    for count, shape in enumerate(sorted({case[2] for case in CASES})):
        numbers = [number for number, case in enumerate(CASES) if case[2] == shape]
        network = Many([CASES[number][1] for number in numbers]).eval()
        with torch.no_grad():
            results = network(torch.zeros(shape))
        outputs = tuple(
            TensorSpec(
                name=f"y{number}",
                kind="tensor",
                shape=tuple(result.shape),
                dtype="float32" if result.is_floating_point() else "int32",
            )
            for number, result in zip(numbers, results, strict=True)
        )
        model = export(network, (TensorSpec(name="x", kind="tensor", shape=shape),), outputs)
        path = tmp_path_factory.mktemp("ops") / f"{count}.mlpackage"
        plan = plan_of(dict.fromkeys(model.layers.names(), "fp32"))
        lowered = coreml.lower(model, plan, "all", dict, path)
        sample = {"x": np.random.default_rng(2).random(shape, np.float32)}
        actual = coreml.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
        wanted = expected(model, sample)
        program = load_program(path)
        for number in numbers:
            name = f"y{number}"
            found[number] = Ran(ops=find_ops_behind(program, name), actual=actual[name], wanted=wanted[name])
    return found


def find_ops_behind(program: Any, output: str) -> set[str]:
    """The ops that an output is computed by."""
    makers = {var.name: op for op in computing_ops(program) for var in op.outputs}
    todo, found = [output], set()
    while todo:
        op = makers.get(todo.pop())
        if op is not None:
            found.add(op.op_type)
            todo += [var.name for var in list_variables(op)]
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)])
def test_the_op_gives_what_torch_gives(ran: dict[int, Ran], number: int) -> None:
    """The converted package holds the op, and its interpretation agrees with torch to float32 rounding."""
    assert CASES[number][0] in ran[number].ops
    np.testing.assert_allclose(ran[number].actual, ran[number].wanted, rtol=2e-5, atol=2e-6)


def built(make: Callable[..., object], system: str | None = None) -> Interpreter:
    """A small MIL program on a 1x1x5x6 tensor `x`, made ready without saving it."""
    import coremltools
    from coremltools.converters.mil import Builder as mb

    opset = system and getattr(coremltools.target, system)
    program = mb.program(input_specs=[mb.TensorSpec(shape=(1, 1, 5, 6))], opset_version=opset)(make)
    return Interpreter(program)


def picture() -> Array:
    return np.arange(30, dtype=np.float32).reshape(1, 1, 5, 6)


@pytest.mark.parametrize(("pad_type", "before"), [("same", (1, 0)), ("same_lower", (1, 1))])
def test_same_padding_is_what_mil_defines(pad_type: str, before: tuple[int, int]) -> None:
    """Strided `same` convolutions, which torch does not export, keep ceil(size / stride) and put the odd row last or first."""
    from coremltools.converters.mil import Builder as mb

    weight = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    run = built(lambda x: mb.conv(x=x, weight=weight, strides=[2, 2], pad_type=pad_type, name="y"))
    actual = run({"x": picture()})["y"]
    # 5 rows need 1 + 1, 6 columns need 1 in all
    top, left = before
    padded = F.pad(torch.from_numpy(picture()), (left, 1 - left, top, 2 - top))
    np.testing.assert_array_equal(actual, F.conv2d(padded, torch.from_numpy(weight), stride=2).numpy())


def test_the_rest_of_the_dict_on_programs_that_torch_does_not_export() -> None:
    """Each does what its definition says."""
    from coremltools.converters.mil import Builder as mb

    x = torch.from_numpy(picture())
    size = {"target_size_height": 7, "target_size_width": 4}
    cases: dict[str, tuple[Callable[..., object], Tensor]] = {
        "identity": (lambda x: mb.identity(x=x, name="y"), x),
        "square": (lambda x: mb.square(x=x, name="y"), x * x),
        "inverse": (lambda x: mb.inverse(x=x, epsilon=0.5, name="y"), 1 / (x + 0.5)),
        "thresholded_relu": (
            lambda x: mb.thresholded_relu(x=x, alpha=0.4, name="y"),
            torch.where(x >= 0.4, x, 0.0),
        ),
        "reduce_l2_norm": (
            lambda x: mb.reduce_l2_norm(x=x, axes=[1, 3], keep_dims=True, name="y"),
            torch.linalg.vector_norm(x, dim=(1, 3), keepdim=True),
        ),
        "slice_by_size": (
            lambda x: mb.slice_by_size(x=x, begin=[0, 0, 1, 2], size=[1, 1, 3, -1], name="y"),
            x[:, :, 1:4, 2:],
        ),
        "resize_nearest_neighbor": (
            lambda x: mb.resize_nearest_neighbor(x=x, **size, name="y"),
            F.interpolate(x, size=(7, 4), mode="nearest"),
        ),
        "resize_bilinear": (
            lambda x: mb.resize_bilinear(x=x, **size, sampling_mode="UNALIGN_CORNERS", name="y"),
            F.interpolate(x, size=(7, 4), mode="bilinear"),
        ),
    }
    named = {*cases, "quantize", "dequantize"}  # the next test's
    assert named == set(OPS) - {case[0] for case in (*CASES, *MORE)} - UNREACHED, "an op of the dict has no test"
    for make, wanted in cases.values():
        np.testing.assert_allclose(built(make)({"x": picture()})["y"], wanted.numpy(), rtol=1e-6)


@pytest.mark.parametrize(("kind", "zero", "low", "high"), [("int8", -3, -128, 127), ("uint8", 5, 0, 255)])
def test_quantizers_round_halves_to_even_and_cut_to_their_integers(kind: str, zero: int, low: int, high: int) -> None:
    """Steps of 0.25 up to 29 leave the integers of both types; 0.125 lies between two."""
    from coremltools.converters.mil import Builder as mb

    scale, zero_point = np.float32(0.25), np.array(zero, kind)[()]

    def make(x: object) -> object:
        moved = mb.sub(x=mb.mul(x=x, y=2.0), y=0.125)
        steps = mb.quantize(input=moved, scale=scale, zero_point=zero_point, output_dtype=kind)
        return mb.dequantize(input=steps, scale=scale, zero_point=zero_point, name="y")

    steps = torch.clamp(torch.round((torch.from_numpy(picture()) * 2 - 0.125) / 0.25) + zero, low, high)
    actual = built(make, "iOS17")({"x": picture()})["y"]
    np.testing.assert_array_equal(actual, ((steps - zero) * 0.25).numpy())


def test_an_op_that_is_not_known_is_named() -> None:
    """Nothing is guessed: the error has the op's type, which the manifest's `unproven` names."""
    from coremltools.converters.mil import Builder as mb

    with pytest.raises(VerificationError, match="has no 'local_response_norm'; check this variant on a Mac"):
        built(lambda x: mb.local_response_norm(x=x, size=3, name="running"))


@pytest.mark.parametrize("case", ["pixel centres", "scale_factor_height of 1.5", "sampling_mode 'DEFAULT'"])
def test_a_form_of_an_op_that_is_not_known_is_refused(case: str) -> None:
    """Sampling that torch does not do is an error and not an approximation."""
    import coremltools
    from coremltools.converters.mil import Builder as mb

    makers: dict[str, Callable[..., object]] = {
        "pixel centres": lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=2, align_corners=False, half_pixel_centers=False
        ),
        "scale_factor_height of 1.5": lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=1.5, scale_factor_width=2.0
        ),
        "sampling_mode 'DEFAULT'": lambda x: mb.resize_bilinear(x=x, target_size_height=7, target_size_width=7),
    }
    program = mb.program(input_specs=[mb.TensorSpec(shape=(1, 1, 5, 6))], opset_version=coremltools.target.iOS16)(
        makers[case]
    )
    with pytest.raises(VerificationError, match=case):
        Interpreter(program)({"x": picture()})


def test_fp16_ops_round_every_result() -> None:
    """A value that fp16 cannot hold comes out as the nearest that it can; one beyond its range as infinity."""
    from coremltools.converters.mil import Builder as mb

    def make(x: object) -> object:
        return mb.cast(x=mb.mul(x=mb.cast(x=x, dtype="fp16"), y=np.float16(3)), dtype="fp32", name="y")

    values = picture() * 1000 + 1
    actual = built(make)({"x": values})["y"]
    wanted = torch.from_numpy(values).half() * torch.tensor(3, dtype=torch.float16)
    np.testing.assert_array_equal(actual, wanted.float().numpy())
    assert np.isinf(actual).any()
