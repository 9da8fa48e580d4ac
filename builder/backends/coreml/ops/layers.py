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
    kind, axes = a.text("pad_type"), x.ndim - 2
    if kind not in ("valid", "custom"):
        raise a.refuse(f"pad_type {kind!r}")
    begins = a.ints("pad")[::2] if kind == "custom" else [0] * axes
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[axes]
    y = function(x, weight, None, a.ints("strides"), 0, 0, a.integer("groups"), a.ints("dilations"))
    for axis, (begin, size) in enumerate(zip(begins, a.shape[2:], strict=True), start=2):
        # output_padding larger than the padding reaches beyond the last input: only the bias is there
        beyond = [0] * (2 * (y.ndim - axis))
        beyond[-1] = max(0, begin + size - y.shape[axis])
        y = F.pad(y, beyond).narrow(axis, begin, size)
    bias = a.optional("bias")
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


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

    x, kernel = a.tensor("x"), a.ints("kernel_sizes")
    strides = a.ints("strides") if a.has("strides") else [1] * len(kernel)
    padded = F.pad(x, padding(a, kernel, strides, [1] * len(kernel)), value=float("-inf"))
    function = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}[x.ndim]
    return function(padded, kernel, strides, ceil_mode=a.flag("ceil_mode"))


def avg_pool(a: Arguments) -> Result:
    """With `ceil_mode` as torch has it: padding is symmetric then, and what lies beyond it is never counted."""
    import torch
    import torch.nn.functional as F

    x, kernel = a.tensor("x"), a.ints("kernel_sizes")
    strides = a.ints("strides") if a.has("strides") else [1] * len(kernel)
    amounts = padding(a, kernel, strides, [1] * len(kernel))
    exclude = a.flag("exclude_padding_from_average")
    function = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}[x.ndim]
    if a.flag("ceil_mode"):
        return function(x, kernel, strides, amounts[::2][::-1], ceil_mode=True, count_include_pad=not exclude)
    mean = function(F.pad(x, amounts), kernel, strides)
    return mean / function(F.pad(torch.ones_like(x), amounts), kernel, strides) if exclude else mean


def einsum(a: Arguments) -> Result:
    import torch

    return torch.einsum(a.text("equation"), *a.tensors("values"))
