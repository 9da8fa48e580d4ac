"""Convolutions, matrix products and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments, padding

if TYPE_CHECKING:
    from builder.backends.coreml.ops.arguments import Result


def conv(a: Arguments) -> Result:
    import torch.nn.functional as F

    x, weight = a.tensor("x"), a.tensor("weight")
    strides, dilations = a.ints("strides"), a.ints("dilations")
    padded = F.pad(x, padding(a, list(weight.shape[2:]), strides, dilations))
    function = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim]
    return function(padded, weight, a.optional("bias"), strides, 0, dilations, a.integer("groups"))


def conv_transpose(a: Arguments) -> Result:
    """The whole transposed convolution, cut to the declared size from where `pad` begins (torch's padding and output_padding)."""
    import torch.nn.functional as F

    x, weight = a.tensor("x"), a.tensor("weight")
    if x.ndim != 4:
        raise a.refused(f"{x.ndim - 2} spatial dimensions")
    kind = a.text("pad_type")
    if kind not in ("valid", "custom"):
        raise a.refused(f"pad_type {kind!r}")
    top, _, left, _ = a.ints("pad") if kind == "custom" else [0, 0, 0, 0]
    y = F.conv_transpose2d(x, weight, None, a.ints("strides"), 0, 0, a.integer("groups"), a.ints("dilations"))
    height, width = a.shape[-2:]
    # output_padding larger than the padding reaches beyond the last input: only the bias is there
    y = F.pad(y, (0, max(0, left + width - y.shape[-1]), 0, max(0, top + height - y.shape[-2])))
    y = y[:, :, top : top + height, left : left + width]
    bias = a.optional("bias")
    return y if bias is None else y + bias[:, None, None]


def linear(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.linear(a.tensor("x"), a.tensor("weight"), a.optional("bias"))


def matmul(a: Arguments) -> Result:
    x, y = a.tensor("x"), a.tensor("y")
    x = x.transpose(-1, -2) if a.flag("transpose_x") else x
    y = y.transpose(-1, -2) if a.flag("transpose_y") else y
    return x @ y


def max_pool(a: Arguments) -> Result:
    import torch.nn.functional as F

    x, kernel, strides = a.tensor("x"), a.ints("kernel_sizes"), a.ints("strides")
    if x.ndim != 4:
        raise a.refused(f"{x.ndim - 2} spatial dimensions")
    padded = F.pad(x, padding(a, kernel, strides, [1, 1]), value=float("-inf"))
    return F.max_pool2d(padded, kernel, strides, ceil_mode=a.flag("ceil_mode"))


def avg_pool(a: Arguments) -> Result:
    import torch
    import torch.nn.functional as F

    x, kernel, strides = a.tensor("x"), a.ints("kernel_sizes"), a.ints("strides")
    if x.ndim != 4:
        raise a.refused(f"{x.ndim - 2} spatial dimensions")
    amounts = padding(a, kernel, strides, [1, 1])
    if a.flag("ceil_mode"):
        raise a.refused("ceil_mode")  # what a window beyond the padding is divided by is not documented
    mean = F.avg_pool2d(F.pad(x, amounts), kernel, strides)
    if not a.flag("exclude_padding_from_average"):
        return mean
    return mean / F.avg_pool2d(F.pad(torch.ones_like(x), amounts), kernel, strides)
