"""Keras layers as torch functions in NCHW. A layer or a form of one that is not here is run as it is, an NHWC island."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from builder.sources.keras.preprocessing import PREPROCESSING, Rebuild, pass_through
from builder.sources.network import Call, Function, Operand, Weight

if TYPE_CHECKING:
    from torch import Tensor

# Axes of a picture: Keras has its channels last, torch second.
TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
_ACTIVATIONS = {
    "elu": "elu", "gelu": "gelu", "hard_sigmoid": "hardsigmoid", "hard_silu": "hardswish", "hard_swish": "hardswish", "relu": "relu",
    "relu6": "relu6", "selu": "selu", "sigmoid": "sigmoid", "silu": "silu", "softplus": "softplus", "swish": "silu",
    "tanh": "tanh", "mish": "mish",
}  # fmt: skip


def copy_tensor(value: Any) -> Tensor:
    """A Keras variable as a torch tensor of its own memory."""
    value_of_variable: Tensor = value.value.detach().clone().contiguous()
    return value_of_variable


def find_activation(layer: Any) -> Function:
    """The layer's activation as a torch function: torch's own where it is known, else Keras's, or the user's, as it computes with channels last."""
    import torch
    from torch.nn import functional

    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "")
    if function is None or name == "linear":
        return lambda x: x
    if name not in _ACTIVATIONS or not getattr(function, "__module__", "").startswith("keras."):
        return lambda x: function(x.permute(TO_NHWC)).permute(TO_NCHW) if x.ndim == 4 else function(x)
    return getattr(torch, name) if name in ("relu", "sigmoid", "tanh") else getattr(functional, _ACTIVATIONS[name])  # type: ignore[no-any-return]


def compute_same_padding(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """In front and behind by axis, as TensorFlow's SAME has it: the odd one behind."""
    sides = []
    for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        sides.append((total // 2, total - total // 2))
    return sides


def _store(layer: Any, name: str, weight: Tensor, *, bias: bool = True) -> tuple[Operand, Operand]:
    has_bias = bias and bool(getattr(layer, "use_bias", False))
    return (
        Weight(role="weight", value=weight.contiguous(), origin=f"{name}.weight"),
        Weight(role="bias", value=copy_tensor(layer.bias), origin=f"{name}.bias") if has_bias else None,
    )


def _convolution(layer: Any, shape: tuple[int, ...], groups: int, act: Function) -> Function:
    from torch.nn import functional

    pads = [(0, 0), (0, 0)]
    if layer.padding == "same":
        pads = compute_same_padding(shape[2:], layer.kernel_size, layer.strides, layer.dilation_rate)
    symmetric = all(front == behind for front, behind in pads)
    padding = tuple(front for front, _ in pads) if symmetric else (0, 0)

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not symmetric:
            x = functional.pad(x, (*pads[1], *pads[0]))
        y: Tensor = act(functional.conv2d(x, weight, bias, layer.strides, padding, layer.dilation_rate, groups))
        return y

    return convolve


def _conv(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    act = find_activation(layer)
    if layer.padding not in ("same", "valid"):
        return None
    weight = copy_tensor(layer.kernel).permute(3, 2, 0, 1)
    return Call(
        function=_convolution(layer, shapes[0], layer.groups, act), operands=(inputs[0], *_store(layer, name, weight))
    )


def _depthwise(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    act = find_activation(layer)
    height, width, channels, multiplier = layer.kernel.shape
    weight = copy_tensor(layer.kernel).permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    return Call(
        function=_convolution(layer, shapes[0], channels, act), operands=(inputs[0], *_store(layer, name, weight))
    )


def _separable(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    act = find_activation(layer)
    height, width, channels, multiplier = layer.depthwise_kernel.shape
    deep = copy_tensor(layer.depthwise_kernel).permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    first = _convolution(layer, shapes[0], channels, lambda x: x)
    weight, bias = _store(layer, f"{name}.pointwise", copy_tensor(layer.pointwise_kernel).permute(3, 2, 0, 1))
    depthwise = Weight(role="weight", value=deep.contiguous(), origin=f"{name}.depthwise.weight")

    def convolve(x: Tensor, each: Tensor, point: Tensor, added: Tensor | None) -> Tensor:
        y: Tensor = act(functional.conv2d(first(x, each, None), point, added))
        return y

    return Call(function=convolve, operands=(inputs[0], depthwise, weight, bias))


def _convolve_transposed(
    layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> Call | None:
    """Same padding gives the size times the stride: the full result cropped, one more behind where it is odd."""
    from torch.nn import functional

    act = find_activation(layer)
    if tuple(layer.dilation_rate) != (1, 1) or layer.output_padding is not None:
        return None
    crops = [(0, 0), (0, 0)]
    if layer.padding == "same":
        if any(k < s for k, s in zip(layer.kernel_size, layer.strides, strict=True)):
            return None
        crops = [((k - s) // 2, k - s - (k - s) // 2) for k, s in zip(layer.kernel_size, layer.strides, strict=True)]
    symmetric = all(front == behind for front, behind in crops)
    weight = copy_tensor(layer.kernel).permute(3, 2, 0, 1)
    (top, bottom), (left, right) = crops

    def convolve(x: Tensor, stored: Tensor, bias: Tensor | None) -> Tensor:
        y = functional.conv_transpose2d(x, stored, bias, layer.strides, (top, left) if symmetric else 0)
        if not symmetric:
            y = y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
        z: Tensor = act(y)
        return z

    return Call(function=convolve, operands=(inputs[0], *_store(layer, name, weight)))


def _dense(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    act = find_activation(layer)
    if getattr(layer, "lora_enabled", False):
        return None
    weight = copy_tensor(layer.kernel).T
    if len(shapes[0]) == 4:  # of every pixel's channels: a convolution of 1 x 1
        function = partial(_pointwise, act=act)
        return Call(function=function, operands=(inputs[0], *_store(layer, name, weight[:, :, None, None])))

    def multiply(x: Tensor, stored: Tensor, bias: Tensor | None) -> Tensor:
        y: Tensor = act(functional.linear(x, stored, bias))
        return y

    return Call(function=multiply, operands=(inputs[0], *_store(layer, name, weight)))


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, *, act: Function) -> Any:
    from torch.nn import functional

    return act(functional.conv2d(x, weight, bias))


def _batch_norm(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    last = len(shapes[0]) - 1
    if last not in (1, 3) or layer.axis not in (-1, last, [last], [-1]):
        return None
    eps = float(layer.epsilon)
    mean = Weight(role="running_mean", value=copy_tensor(layer.moving_mean), origin=f"{name}.running_mean")
    variance = Weight(role="running_var", value=copy_tensor(layer.moving_variance), origin=f"{name}.running_var")
    return Call(
        function=lambda x, m, v, weight, bias: functional.batch_norm(x, m, v, weight, bias, training=False, eps=eps),
        operands=(inputs[0], mean, variance, *_affine(layer, name)),
    )


def _affine(layer: Any, name: str) -> tuple[Operand, Operand]:
    return (
        Weight(role="weight", value=copy_tensor(layer.gamma), origin=f"{name}.weight") if layer.scale else None,
        Weight(role="bias", value=copy_tensor(layer.beta), origin=f"{name}.bias") if layer.center else None,
    )


def _group_norm(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    if len(shapes[0]) != 4 or layer.axis not in (-1, 3):
        return None
    channels, eps = shapes[0][1], float(layer.epsilon)
    groups = channels if layer.groups == -1 else int(layer.groups)

    def normalise(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        if groups == channels:
            return functional.instance_norm(x, weight=weight, bias=bias, eps=eps)
        return functional.group_norm(x, groups, weight, bias, eps)

    return Call(function=normalise, operands=(inputs[0], *_affine(layer, name)))


def _layer_norm(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    """Over the last axis, which of a picture are the channels."""
    from torch.nn import functional

    rank, eps = len(shapes[0]), float(layer.epsilon)
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if [axis % rank for axis in axes] != [rank - 1] or getattr(layer, "rms_scaling", False):
        return None
    size = shapes[0][1] if rank == 4 else shapes[0][-1]

    def normalise(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        rows = x.permute(0, 2, 3, 1) if rank == 4 else x
        y = functional.layer_norm(rows, (size,), weight, bias, eps)
        return y.permute(0, 3, 1, 2) if rank == 4 else y

    return Call(function=normalise, operands=(inputs[0], *_affine(layer, name)))


def _relu(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    import torch
    from torch.nn import functional

    if layer.threshold:
        return None
    slope, highest = float(layer.negative_slope or 0), layer.max_value
    if highest is None:
        function: Function = torch.relu if slope == 0 else partial(functional.leaky_relu, negative_slope=slope)
    elif slope:
        return None
    else:
        function = functional.relu6 if highest == 6 else partial(torch.clamp, min=0.0, max=float(highest))
    return Call(function=function, operands=(inputs[0],))


def _leaky_relu(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    return Call(
        function=partial(functional.leaky_relu, negative_slope=float(layer.negative_slope)), operands=(inputs[0],)
    )


def _elu(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    return Call(function=partial(functional.elu, alpha=float(layer.alpha)), operands=(inputs[0],))


def _prelu(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    slope = copy_tensor(layer.alpha)
    if len(shapes[0]) != 4 or slope.numel() != slope.shape[-1]:
        return None
    weight = Weight(role="weight", value=slope.reshape(-1), origin=f"{name}.weight")
    return Call(function=functional.prelu, operands=(inputs[0], weight))


def _activation(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    return Call(function=find_activation(layer), operands=(inputs[0],))


def _upsampling(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    factors = tuple(float(size) for size in layer.size)
    if layer.interpolation == "nearest":
        return Call(
            function=partial(functional.interpolate, scale_factor=factors, mode="nearest"), operands=(inputs[0],)
        )
    if layer.interpolation == "bilinear":
        function = partial(functional.interpolate, scale_factor=factors, mode="bilinear", align_corners=False)
        return Call(function=function, operands=(inputs[0],))
    return None


def _zero_padding(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    from torch.nn import functional

    (top, bottom), (left, right) = layer.padding
    return Call(function=lambda x: functional.pad(x, (left, right, top, bottom)), operands=(inputs[0],))


def _cropping(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    (top, bottom), (left, right) = layer.cropping
    height, width = shapes[0][2:]
    return Call(function=lambda x: x[:, :, top : height - bottom, left : width - right], operands=(inputs[0],))


def _merge(name_of: str) -> Rebuild:
    def build(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
        import torch

        if len({len(shape) for shape in shapes}) > 1:
            return None
        function: Function = getattr(torch, name_of)
        return Call(function=lambda *values: reduce(function, values), operands=tuple(inputs))

    return build


def _average(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    import torch

    if len({len(shape) for shape in shapes}) > 1:
        return None
    return Call(function=lambda *values: reduce(torch.add, values) / len(values), operands=tuple(inputs))


def _concatenate(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
    import torch

    rank = len(shapes[0])
    axis = layer.axis % rank
    place = (0, 2, 3, 1)[axis] if rank == 4 else axis  # where NCHW has the axis of NHWC
    return Call(function=lambda *values: torch.cat(values, place), operands=tuple(inputs))


def _pooling(kind: str) -> Rebuild:
    def build(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
        from torch.nn import functional

        if layer.padding == "same":
            pads = compute_same_padding(shapes[0][2:], layer.pool_size, layer.strides, (1, 1))
            if any(pad != (0, 0) for pad in pads):
                return None
        function = functional.max_pool2d if kind == "max" else functional.avg_pool2d
        return Call(function=lambda x: function(x, tuple(layer.pool_size), tuple(layer.strides)), operands=(inputs[0],))

    return build


def _global_pooling(kind: str) -> Rebuild:
    def build(layer: Any, name: str, inputs: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Call | None:
        keep = bool(layer.keepdims)
        if kind == "max":
            return Call(function=lambda x: x.amax((2, 3), keepdim=keep), operands=(inputs[0],))
        return Call(function=lambda x: x.mean((2, 3), keepdim=keep), operands=(inputs[0],))

    return build


LAYERS: dict[str, Rebuild] = {
    **PREPROCESSING, "LayerNormalization": _layer_norm,
    "Activation": _activation, "Add": _merge("add"), "Average": _average, "AveragePooling2D": _pooling("average"),
    "BatchNormalization": _batch_norm, "Concatenate": _concatenate, "Conv2D": _conv, "Conv2DTranspose": _convolve_transposed,
    "Cropping2D": _cropping, "Dense": _dense, "DepthwiseConv2D": _depthwise, "Dropout": pass_through, "ELU": _elu, "GaussianDropout": pass_through,
    "GaussianNoise": pass_through, "GlobalAveragePooling2D": _global_pooling("average"), "GlobalMaxPooling2D": _global_pooling("max"),
    "GroupNormalization": _group_norm, "Identity": pass_through, "LeakyReLU": _leaky_relu, "MaxPooling2D": _pooling("max"),
    "Maximum": _merge("maximum"), "Minimum": _merge("minimum"), "Multiply": _merge("mul"), "PReLU": _prelu, "ReLU": _relu,
    "SeparableConv2D": _separable, "SpatialDropout2D": pass_through, "Subtract": _merge("sub"),
    "UpSampling2D": _upsampling, "ZeroPadding2D": _zero_padding,
}  # fmt: skip
