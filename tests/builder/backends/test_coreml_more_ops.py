"""MIL ops that everyday networks are converted to now and then, as programs built by hand, against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builder.backends.coreml.interpreter import Interpreter

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = (1, 4, 4, 6)
X = torch.from_numpy(np.random.default_rng(3).random(SHAPE, np.float32))
ROWS = torch.from_numpy(np.random.default_rng(4).integers(0, 4, SHAPE).astype(np.int32))
GRID = torch.from_numpy(np.random.default_rng(5).uniform(-1.6, 1.6, (1, 3, 5, 2)).astype(np.float32))
SAMPLES = {
    "sampling_mode": "bilinear",
    "padding_value": np.float32(0),
    "coordinates_mode": "normalized_minus_one_to_one",
}


def mil() -> Any:
    from coremltools.converters.mil import Builder

    return Builder


def sampled(padding: str, aligned: bool) -> Callable[[Any], Any]:
    return lambda x: mil().resample(
        x=x, coordinates=GRID.numpy(), padding_mode=padding, align_corners=aligned, name="y", **SAMPLES
    )


def unary(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(mil(), name)(x=x, name="y")


def logical(name: str) -> Callable[[Any], Any]:
    def make(x: Any) -> Any:
        both = getattr(mil(), name)(x=mil().greater(x=x, y=np.float32(0.3)), y=mil().less(x=x, y=np.float32(0.6)))
        return mil().cast(x=both, dtype="fp32", name="y")

    return make


# (op, program, what torch gives)
MORE: list[tuple[str, Callable[[Any], Any], Tensor]] = [
    *(
        (name, unary(name), getattr(torch, name)(X))
        for name in ("acos", "asin", "atan", "cosh", "exp2", "round", "sinh", "tan")
    ),
    ("atanh", lambda x: mil().atanh(x=mil().mul(x=x, y=np.float32(0.9)), name="y"), torch.atanh(X * 0.9)),
    ("argsort", lambda x: mil().argsort(x=x, axis=2, ascending=True, name="y"), X.argsort(2)),
    ("band_part", lambda x: mil().band_part(x=x, lower=1, upper=0, name="y"), X.tril() - X.tril(-2)),
    ("clamped_relu", lambda x: mil().clamped_relu(x=x, alpha=0.3, beta=0.5, name="y"), X.clamp(max=0.5)),
    ("cumsum", lambda x: mil().cumsum(x=x, axis=1, exclusive=True, reverse=True, name="y"), X.flip(1).cumsum(1).flip(1) - X),
    ("depth_to_space", lambda x: mil().depth_to_space(x=x, block_size=2, name="y"), X.reshape(1, 2, 2, 1, 4, 6).permute(0, 3, 4, 1, 5, 2).reshape(1, 1, 8, 12)),
    ("space_to_depth", lambda x: mil().space_to_depth(x=x, block_size=2, name="y"), X.reshape(1, 4, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(1, 16, 2, 3)),
    ("einsum", lambda x: mil().einsum(values=(x, mil().transpose(x=x, perm=[0, 3, 2, 1])), equation="nchw,nwhu->nchu", name="y"), torch.einsum("nchw,nwhu->nchu", X, X.permute(0, 3, 2, 1))),
    ("fill", lambda x: mil().add(x=x, y=mil().fill(shape=[4, 6], value=np.float32(2)), name="y"), X + 2),
    ("floor_div", lambda x: mil().floor_div(x=x, y=np.float32(0.3), name="y"), torch.div(X, 0.3, rounding_mode="floor")),
    ("mod", lambda x: mil().mod(x=x, y=np.float32(0.3), name="y"), torch.remainder(X, 0.3)),
    ("gather_along_axis", lambda x: mil().gather_along_axis(x=x, indices=ROWS.numpy(), axis=2, name="y"), X.gather(2, ROWS.long())),
    ("gather_nd", lambda x: mil().gather_nd(x=x, indices=np.array([[0, 1, 3], [0, 3, 0]], np.int32), name="y"), X[[0, 0], [1, 3], [3, 0]]),
    ("l2_norm", lambda x: mil().l2_norm(x=x, epsilon=1e-3, name="y"), X / (X.square().sum() + 1e-3).sqrt()),
    ("linear_activation", lambda x: mil().linear_activation(x=x, alpha=2.0, beta=1.0, name="y"), 2 * X + 1),
    *(
        (
            name,
logical(name),
            getattr(torch, name)(X > 0.3, X < 0.6).float(),
        )
        for name in ("logical_and", "logical_or", "logical_xor")
    ),
    ("logical_not", lambda x: mil().cast(x=mil().logical_not(x=mil().greater(x=x, y=np.float32(0.3))), dtype="fp32", name="y"), (X <= 0.3).float()),
    ("not_equal", lambda x: mil().cast(x=mil().not_equal(x=mil().floor(x=mil().mul(x=x, y=np.float32(3))), y=np.float32(1)), dtype="fp32", name="y"), ((3 * X).floor() != 1).float()),
    ("one_hot", lambda x: mil().one_hot(indices=mil().reduce_argmax(x=x, axis=1, keep_dims=False), one_hot_vector_size=4, axis=1, on_value=1.0, off_value=0.0, name="y"), F.one_hot(X.argmax(1), 4).permute(0, 3, 1, 2).float()),
    ("reduce_argmin", lambda x: mil().reduce_argmin(x=x, axis=1, keep_dims=True, name="y"), X.argmin(1, keepdim=True)),
    ("reduce_l1_norm", lambda x: mil().reduce_l1_norm(x=x, axes=[1, 2], keep_dims=True, name="y"), X.abs().sum((1, 2), keepdim=True)),
    ("reduce_log_sum", lambda x: mil().reduce_log_sum(x=x, axes=[1], keep_dims=False, name="y"), X.sum(1).log()),
    ("reduce_log_sum_exp", lambda x: mil().reduce_log_sum_exp(x=x, axes=[3], keep_dims=True, name="y"), X.logsumexp(3, keepdim=True)),
    ("reduce_prod", lambda x: mil().reduce_prod(x=x, axes=[1, 3], keep_dims=False, name="y"), X.prod(3).prod(1)),
    ("reduce_sum_square", lambda x: mil().reduce_sum_square(x=x, axes=[2], keep_dims=False, name="y"), X.square().sum(2)),
    *(
        ("resample", sampled(padding, aligned), F.grid_sample(X, GRID, padding_mode=torch_padding, align_corners=aligned))
        for padding, torch_padding, aligned in (
            ("constant", "zeros", False), ("border", "border", True), ("reflection", "reflection", True), ("symmetric", "reflection", False),
        )
    ),
    ("scaled_tanh", lambda x: mil().scaled_tanh(x=x, alpha=0.5, beta=2.0, name="y"), 0.5 * torch.tanh(2 * X)),
    ("scatter", lambda x: mil().scatter(data=x, indices=np.array([3, 1], np.int32), updates=np.ones((1, 2, 4, 6), np.float32), axis=1, mode="add", name="y"), X.index_add(1, torch.tensor([3, 1]), torch.ones(1, 2, 4, 6))),
    ("scatter_along_axis", lambda x: mil().scatter_along_axis(data=x, indices=np.zeros((1, 4, 1, 6), np.int32) + 2, updates=np.ones((1, 4, 1, 6), np.float32), axis=2, mode="update", name="y"), torch.cat([X[:, :, :2], torch.ones(1, 4, 1, 6), X[:, :, 3:]], 2)),
    ("scatter_nd", lambda x: mil().scatter_nd(data=x, indices=np.array([[0, 2]], np.int32), updates=np.ones((1, 4, 6), np.float32), mode="update", name="y"), torch.cat([X[:, :2], torch.ones(1, 1, 4, 6), X[:, 3:]], 1)),
    ("sliding_windows", lambda x: mil().sliding_windows(x=x, axis=3, size=4, stride=2, name="y"), X.unfold(3, 4, 2)),
    ("softplus_parametric", lambda x: mil().softplus_parametric(x=x, alpha=np.ones(4, np.float32) * 2, beta=np.ones(4, np.float32) * 3, name="y"), 2 * F.softplus(3 * X)),
    ("softsign", lambda x: mil().softsign(x=x, name="y"), F.softsign(X)),
    ("threshold", lambda x: mil().threshold(x=x, alpha=0.4, name="y"), X.clamp(min=0.4)),
    ("topk", lambda x: mil().topk(x=x, k=2, axis=1, name="y")[0], X.topk(2, 1).values),
    ("avg_pool", lambda x: mil().avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], exclude_padding_from_average=True, ceil_mode=True, name="y"), F.avg_pool2d(X, 3, 2, 1, True, False)),
    ("max_pool", lambda x: mil().max_pool(x=mil().expand_dims(x=x, axes=[1]), kernel_sizes=[2, 2, 3], strides=[2, 1, 1], pad_type="valid", name="y"), F.max_pool3d(X[:, None], (2, 2, 3), (2, 1, 1))),
    ("avg_pool", lambda x: mil().avg_pool(x=mil().expand_dims(x=x, axes=[1]), kernel_sizes=[2, 2, 2], strides=[1, 1, 1], pad_type="valid", name="y"), F.avg_pool3d(X[:, None], 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MORE)), ids=[f"{case[0]}-{n}" for n, case in enumerate(MORE)])
def test_the_op_does_what_its_definition_says(number: int) -> None:
    """The same numbers as torch's own operator."""
    name, make, wanted = MORE[number]
    program = mil().program(input_specs=[mil().TensorSpec(shape=SHAPE)])(make)
    assert name in {op.op_type for op in program.functions["main"].operations}
    actual = next(iter(Interpreter(program)({"x": X.numpy()}).values()))
    np.testing.assert_allclose(actual, wanted.numpy(), rtol=2e-5, atol=2e-6)
