"""Group norm as averages over height and width, then over the channels of a group by a 1 x 1 convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.statistics import average_space, scale
from builder.legalize.rewriting import ARITHMETIC, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack", "gpu")
CURES = {"native_group_norm": ("group_norm", "leave 'group_norm' on in [legalize]")}


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    return replace_calls(program, {"aten.group_norm.default": _group_norm})


def _group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Wu & He 2018. The statistics have as many channels as the picture, with one group too.

    TFLite's GPU delegate (2.16.1, OpenGL) ends the process on `x (1, H, W, C) - m (1, 1, 1, 1)`.
    """
    import torch

    if x.ndim != 4:
        return NotImplemented
    centred = x - _group_mean(average_space(x), groups)
    variance = _group_mean(average_space(centred * centred), groups)
    return scale(centred * torch.rsqrt(variance + eps), weight, bias, (1, -1, 1, 1))


def _group_mean(x: Tensor, groups: int) -> Tensor:
    """Of [N, C, 1, 1] over each group, repeated for every channel of it."""
    import torch
    from torch.nn.functional import conv2d

    channels = x.shape[1]
    if groups == channels:
        return x
    means = conv2d(x, torch.full((groups, channels // groups, 1, 1), groups / channels, dtype=x.dtype), groups=groups)
    return conv2d(means, torch.ones((channels, 1, 1, 1), dtype=x.dtype), groups=groups)
