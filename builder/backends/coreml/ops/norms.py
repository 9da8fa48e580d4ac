"""Normalisation and reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments

if TYPE_CHECKING:
    from builder.backends.coreml.ops.arguments import Result


def reduction(function: str) -> Callable[[Arguments], Result]:
    """A torch reduction over `axes`, or over all."""

    def reduce(a: Arguments) -> Result:
        import torch

        x = a.tensor("x")
        axes = a.ints("axes") if a.has("axes") else list(range(x.ndim))
        return getattr(torch, function)(x, dim=axes, keepdim=a.flag("keep_dims"))  # type: ignore[no-any-return]

    return reduce


def product(a: Arguments) -> Result:
    x = a.tensor("x")
    kept, axes = a.flag("keep_dims"), a.ints("axes") if a.has("axes") else list(range(x.ndim))
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=kept)
    return x


def of_sum(before: str, after: str) -> Callable[[Arguments], Result]:
    """The sum over `axes` between two torch functions; an empty name is none."""

    def reduce(a: Arguments) -> Result:
        import torch

        x = a.tensor("x")
        axes = a.ints("axes") if a.has("axes") else list(range(x.ndim))
        x = getattr(torch, before)(x) if before else x
        total = x.sum(dim=axes, keepdim=a.flag("keep_dims"))
        return getattr(torch, after)(total) if after else total

    return reduce


def log_sum_exp(a: Arguments) -> Result:
    x = a.tensor("x")
    axes = a.ints("axes") if a.has("axes") else list(range(x.ndim))
    return x.logsumexp(axes, keepdim=a.flag("keep_dims"))


def argmin(a: Arguments) -> Result:
    return a.tensor("x").argmin(a.integer("axis"), keepdim=a.flag("keep_dims"))


def length(a: Arguments) -> Result:
    """l2_norm: x / sqrt(sum of squares over the last three axes + epsilon)."""
    import torch

    x = a.tensor("x")
    return x * torch.rsqrt((x * x).sum(dim=[-3, -2, -1], keepdim=True) + a.number("epsilon"))


def l2_norm(a: Arguments) -> Result:
    x = a.tensor("x")
    axes = a.ints("axes") if a.has("axes") else list(range(x.ndim))
    return (x * x).sum(dim=axes, keepdim=a.flag("keep_dims")).sqrt()


def argmax(a: Arguments) -> Result:
    return a.tensor("x").argmax(a.integer("axis"), keepdim=a.flag("keep_dims"))


def layer_norm(a: Arguments) -> Result:
    import torch

    x = a.tensor("x")
    axes = [axis % x.ndim for axis in a.ints("axes")] if a.has("axes") else list(range(x.ndim))
    mean = x.mean(axes, keepdim=True)
    variance = ((x - mean) ** 2).mean(axes, keepdim=True)
    y = (x - mean) * torch.rsqrt(variance + a.number("epsilon"))
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
    y = y * a.tensor("gamma").reshape(shape) if a.has("gamma") else y
    return y + a.tensor("beta").reshape(shape) if a.has("beta") else y


def instance_norm(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.instance_norm(a.tensor("x"), weight=a.optional("gamma"), bias=a.optional("beta"), eps=a.number("epsilon"))


def batch_norm(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.batch_norm(
        a.tensor("x"),
        a.tensor("mean"),
        a.tensor("variance"),
        a.optional("gamma"),
        a.optional("beta"),
        training=False,
        eps=a.number("epsilon"),
    )
