"""Layer norm over the last axes as averages, a difference and a reciprocal root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.statistics import average
from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack",)
CURES = {"native_layer_norm": ("layer_norm", "leave 'layer_norm' on in [legalize]")}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.layer_norm.default": _layer_norm})


def _layer_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Ba, Kiros & Hinton 2016. One axis is averaged by a linear layer of equal weights, which takes any number of axes before.

    The weight comes before the root: a converter that finds it just before a linear layer multiplies it into that layer's own
    weights, which are then no longer those of the plan.
    """
    import torch

    centred = x - _mean(x, len(shape))
    root = torch.rsqrt(_mean(centred * centred, len(shape)) + eps)
    y = (centred if weight is None else centred * weight) * root
    return y if bias is None else y + bias


def _mean(x: Tensor, axes: int) -> Tensor:
    import torch
    from torch.nn.functional import linear

    if axes == 1:
        return linear(x, torch.full((1, x.shape[-1]), 1.0 / x.shape[-1], dtype=x.dtype))
    result = average(x, range(x.ndim - axes, x.ndim))
    assert result is not None  # trailing axes always have a form
    return result
