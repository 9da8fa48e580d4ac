"""A convolution with computed weights (a filter bank chosen by an index) as a matrix product over the pixels' neighbourhoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC
from builder.precision.quantizers import before_quantizers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack", "gpu")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    names = [node.name for node in program.graph.nodes if _has_computed_weights(node)]
    if not names:
        return program, 0
    module: Any = program.module(check_guards=False)
    count = 0
    for node in list(module.graph.nodes):
        if node.name in names:
            node.target = _convolution
            count += 1
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), count


def _has_computed_weights(node: Node) -> bool:
    if node.op != "call_function" or str(node.target) != "aten.conv2d.default":
        return False
    weight: Any = before_quantizers(node.args[1])
    groups = node.args[6] if len(node.args) > 6 else 1
    return bool(weight.op == "call_function" and groups == 1)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """The shifted pictures stacked on the channel axis, times the filters as one matrix."""
    import torch
    from torch.nn.functional import pad

    outputs, channels, height, width = weight.shape
    top, left = padding[0], padding[-1]
    padded = pad(x, (left, left, top, top)) if top or left else x
    high = (padded.shape[2] - dilation[0] * (height - 1) - 1) // stride[0] + 1
    wide = (padded.shape[3] - dilation[-1] * (width - 1) - 1) // stride[-1] + 1
    shifted = [
        padded[
            :,
            :,
            row * dilation[0] : row * dilation[0] + (high - 1) * stride[0] + 1 : stride[0],
            column * dilation[-1] : column * dilation[-1] + (wide - 1) * stride[-1] + 1 : stride[-1],
        ]
        for row in range(height)
        for column in range(width)
    ]
    stacked = torch.cat(shifted, dim=1).reshape(x.shape[0], height * width * channels, high * wide)
    matrix = weight.permute(0, 2, 3, 1).reshape(1, outputs, height * width * channels)
    y = torch.bmm(matrix.expand(x.shape[0], -1, -1) if x.shape[0] > 1 else matrix, stacked)
    y = y.reshape(x.shape[0], outputs, high, wide)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)
