"""Activations and arithmetic, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments

if TYPE_CHECKING:
    import torch

    from builder.backends.coreml.ops.arguments import Result


def unary(function: str) -> Callable[[Arguments], Result]:
    """A torch function of `x` alone."""

    def one(a: Arguments) -> Result:
        import torch

        return getattr(torch, function)(a.tensor("x"))  # type: ignore[no-any-return]

    return one


def binary(function: str) -> Callable[[Arguments], Result]:
    """A torch function of `x` and `y` with broadcasting."""

    def two(a: Arguments) -> Result:
        import torch

        return getattr(torch, function)(a.tensor("x"), a.tensor("y"))  # type: ignore[no-any-return]

    return two


def with_epsilon(function: str) -> Callable[[Arguments], Result]:
    """A torch function of `x + epsilon`, as MIL defines rsqrt, inverse and log."""

    def shift(a: Arguments) -> Result:
        import torch

        return getattr(torch, function)(a.tensor("x") + a.number("epsilon"))  # type: ignore[no-any-return]

    return shift


def clip(a: Arguments) -> Result:
    return a.tensor("x").clamp(a.number("alpha"), a.number("beta"))


def thresholded_relu(a: Arguments) -> Result:
    """x from `alpha` on, 0 below (MIL: activation.thresholded_relu)."""
    import torch

    x = a.tensor("x")
    return torch.where(x >= a.number("alpha"), x, torch.zeros_like(x))


def logical(function: str) -> Callable[[Arguments], Result]:
    """A torch function of truth values."""

    def both(a: Arguments) -> Result:
        import torch

        names = ("x", "y") if a.has("y") else ("x",)
        return getattr(torch, function)(*(a.tensor(name).bool() for name in names))  # type: ignore[no-any-return]

    return both


def floor_div(a: Arguments) -> Result:
    import torch

    return torch.div(a.tensor("x"), a.tensor("y"), rounding_mode="floor")


def threshold(a: Arguments) -> Result:
    """max(x, alpha)."""
    return a.tensor("x").clamp(min=a.number("alpha"))


def clamped_relu(a: Arguments) -> Result:
    """min(beta, x) from 0 on, min(beta, alpha x) below."""
    import torch

    x = a.tensor("x")
    return torch.where(x >= 0, x, x * a.number("alpha")).clamp(max=a.number("beta"))


def linear_activation(a: Arguments) -> Result:
    return a.number("alpha") * a.tensor("x") + a.number("beta")


def scaled_tanh(a: Arguments) -> Result:
    return a.number("alpha") * (a.number("beta") * a.tensor("x")).tanh()


def softsign(a: Arguments) -> Result:
    x = a.tensor("x")
    return x / (1 + x.abs())


def softplus_parametric(a: Arguments) -> Result:
    """alpha log(1 + e^(beta x)), one of each a channel."""
    import torch.nn.functional as F

    x = a.tensor("x")
    shape = [1, -1, *[1] * (x.ndim - 2)]
    return a.tensor("alpha").reshape(shape) * F.softplus(a.tensor("beta").reshape(shape) * x)


def relu6(a: Arguments) -> Result:
    return a.tensor("x").clamp(0, 6)


def leaky_relu(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.leaky_relu(a.tensor("x"), a.number("alpha"))


def prelu(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.prelu(a.tensor("x"), a.tensor("alpha"))


def elu(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.elu(a.tensor("x"), a.number("alpha"))


def sigmoid_hard(a: Arguments) -> Result:
    return (a.number("alpha") * a.tensor("x") + a.number("beta")).clamp(0, 1)


def silu(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.silu(a.tensor("x"))


def softplus(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.softplus(a.tensor("x"))


def gelu(a: Arguments) -> Result:
    import torch.nn.functional as F

    mode = a.text("mode")
    if mode not in ("EXACT", "TANH_APPROXIMATION"):
        raise a.refuse(f"mode {mode!r}")
    return F.gelu(a.tensor("x"), approximate="none" if mode == "EXACT" else "tanh")


def softmax(a: Arguments) -> Result:
    return a.tensor("x").softmax(a.integer("axis"))


def select(a: Arguments) -> Result:
    import torch

    return torch.where(a.tensor("cond").bool(), a.tensor("a"), a.tensor("b"))


def same(a: Arguments) -> Result:
    """identity, and cast: the interpreter gives every result its declared dtype (a cast to int cuts off, as torch's does)."""
    return a.tensor("x")


def quantize(a: Arguments) -> Result:
    """round(input / scale) + zero point, halves to even, cut to the integers of the result's type (MIL: iOS17.quantize)."""
    unsigned = a.text("output_dtype") == "uint8"
    low, high = (0, 255) if unsigned else (-128, 127)
    steps = (a.tensor("input") / _along(a, "scale")).round() + _along(a, "zero_point")
    return steps.clamp(low, high)


def dequantize(a: Arguments) -> Result:
    """(input - zero point) * scale (MIL: iOS17.dequantize)."""
    return (a.tensor("input").float() - _along(a, "zero_point")) * _along(a, "scale")


def _along(a: Arguments, name: str) -> torch.Tensor:
    """A number for all, or one for each index along the op's axis; 0 where there is no zero point."""
    import numpy as np
    import torch

    if not a.has(name):
        return torch.zeros(())
    values = torch.from_numpy(np.asarray(a.constant(name), np.float32))
    if values.ndim == 0:
        return values
    shape = [1] * len(a.shape)
    shape[a.integer("axis")] = -1
    return values.reshape(shape)
