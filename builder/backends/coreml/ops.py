"""MIL ops as torch functions, in one visible dict. Semantics: coremltools, `converters/mil/mil/ops/defs` (iOS 15 to 18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from builder.errors import VerificationError

if TYPE_CHECKING:
    import torch

    Result = torch.Tensor | list[torch.Tensor] | tuple[torch.Tensor, ...]


class Arguments:
    """The inputs of one op, by the names of the MIL definition; floats come as float32."""

    def __init__(self, op: Any, values: dict[str, torch.Tensor]) -> None:
        self.op = op
        self.values = values

    def refuse(self, what: str) -> VerificationError:
        return VerificationError(
            f"op {self.op.op_type!r} ({self.op.name}) of the Core ML file has {what}, which cannot be executed here; check this variant on a Mac."
        )

    def has(self, name: str) -> bool:
        return self.op.inputs.get(name) is not None

    def tensor(self, name: str) -> torch.Tensor:
        return self._value(self.op.inputs[name])

    def tensors(self, name: str) -> list[torch.Tensor]:
        return [self._value(var) for var in self.op.inputs[name]]

    def optional(self, name: str) -> torch.Tensor | None:
        return self.tensor(name) if self.has(name) else None

    def _value(self, var: Any) -> torch.Tensor:
        import numpy as np
        import torch

        value = self.values[var.name] if var.name in self.values else torch.from_numpy(np.array(var.val))
        return value.float() if value.is_floating_point() else value

    def constant(self, name: str) -> Any:
        value = self.op.inputs[name].val
        if value is None:
            raise self.refuse(f"a computed {name!r}")
        return value

    def ints(self, name: str) -> list[int]:
        import numpy as np

        return [int(v) for v in np.asarray(self.constant(name)).reshape(-1)]

    def ints_or_computed(self, name: str) -> list[int]:
        """A shape that may have been computed by earlier ops."""
        return [int(v) for v in self.tensor(name).reshape(-1)]

    def number(self, name: str) -> float:
        return float(self.constant(name))

    def integer(self, name: str) -> int:
        return int(self.constant(name))

    def flag(self, name: str) -> bool:
        return bool(self.constant(name)) if self.has(name) else False

    def text(self, name: str) -> str:
        return str(self.constant(name))


def _padding(a: Arguments, kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
    """Padding as torch's F.pad takes it (last dimension first), for the pad types of conv and pooling."""
    kind = a.text("pad_type")
    if kind == "valid":
        return [0] * (2 * len(kernel))
    if kind == "custom":
        pairs = a.ints("pad")
        return [side for axis in reversed(range(len(kernel))) for side in (pairs[2 * axis], pairs[2 * axis + 1])]
    if kind in ("same", "same_lower"):
        sizes = a.tensor("x").shape[2:]
        made: list[int] = []
        for axis in reversed(range(len(kernel))):
            out = -(-sizes[axis] // strides[axis])
            total = max(0, (out - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - sizes[axis])
            less, more = total // 2, total - total // 2
            made += [less, more] if kind == "same" else [more, less]
        return made
    raise a.refuse(f"pad_type {kind!r}")


def conv(a: Arguments) -> Result:
    import torch.nn.functional as F

    x, weight = a.tensor("x"), a.tensor("weight")
    strides, dilations = a.ints("strides"), a.ints("dilations")
    padded = F.pad(x, _padding(a, list(weight.shape[2:]), strides, dilations))
    function = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.ndim]
    return function(padded, weight, a.optional("bias"), strides, 0, dilations, a.integer("groups"))


def conv_transpose(a: Arguments) -> Result:
    import torch.nn.functional as F

    x = a.tensor("x")
    if x.ndim != 4:
        raise a.refuse(f"{x.ndim - 2} spatial dimensions")
    dilations = a.ints("dilations") if a.has("dilations") else [1, 1]
    y = F.conv_transpose2d(
        x, a.tensor("weight"), a.optional("bias"), a.ints("strides"), 0, 0, a.integer("groups"), dilations
    )
    kind = a.text("pad_type")
    if kind not in ("valid", "custom"):
        raise a.refuse(f"pad_type {kind!r}")
    top, _, left, _ = a.ints("pad") if kind == "custom" else [0, 0, 0, 0]
    # cropping by `pad`; a declared output shape may keep more at the end (torch's output_padding)
    height, width = (int(size) for size in a.op.outputs[0].shape[-2:])
    if y.shape[-2] < top + height or y.shape[-1] < left + width:
        y = F.pad(y, (0, max(0, left + width - y.shape[-1]), 0, max(0, top + height - y.shape[-2])))
        if a.has("bias"):
            raise a.refuse("an output beyond its last input with a bias")
    return y[:, :, top : top + height, left : left + width]


def linear(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.linear(a.tensor("x"), a.tensor("weight"), a.optional("bias"))


def matmul(a: Arguments) -> Result:
    x, y = a.tensor("x"), a.tensor("y")
    x = x.transpose(-1, -2) if a.flag("transpose_x") else x
    y = y.transpose(-1, -2) if a.flag("transpose_y") else y
    return x @ y


def reduction(function: str) -> Callable[[Arguments], Result]:
    def reduce(a: Arguments) -> Result:
        import torch

        x = a.tensor("x")
        axes = a.ints("axes") if a.has("axes") else list(range(x.ndim))
        return getattr(torch, function)(x, dim=axes, keepdim=a.flag("keep_dims"))  # type: ignore[no-any-return]

    return reduce


def layer_norm(a: Arguments) -> Result:
    import torch

    x, axes = a.tensor("x"), [axis % a.tensor("x").ndim for axis in a.ints("axes")]
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
        False,
        0.0,
        a.number("epsilon"),
    )


def pad(a: Arguments) -> Result:
    import torch.nn.functional as F

    x, amounts, mode = a.tensor("x"), a.ints("pad"), a.text("mode")
    pairs = [amounts[i : i + 2] for i in range(0, len(amounts), 2)]
    while len(pairs) > 1 and mode != "constant" and pairs[0] == [0, 0]:
        pairs.pop(0)  # torch's other modes take the padded dimensions only
    flat = [side for pair in reversed(pairs) for side in pair]
    if mode == "constant":
        return F.pad(x, flat, value=a.number("constant_val"))
    if mode not in ("reflect", "replicate"):
        raise a.refuse(f"mode {mode!r}")
    return F.pad(x, flat, mode=mode)


def upsample_nearest(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.interpolate(
        a.tensor("x"), scale_factor=(a.number("scale_factor_height"), a.number("scale_factor_width")), mode="nearest"
    )


def upsample_bilinear(a: Arguments) -> Result:
    import torch.nn.functional as F

    if a.has("half_pixel_centers") and a.flag("half_pixel_centers") == a.flag("align_corners"):
        raise a.refuse("its own choice of pixel centres")
    factors = (a.number("scale_factor_height"), a.number("scale_factor_width"))
    return F.interpolate(a.tensor("x"), scale_factor=factors, mode="bilinear", align_corners=a.flag("align_corners"))


def max_pool(a: Arguments) -> Result:
    import torch.nn.functional as F

    x, kernel, strides = a.tensor("x"), a.ints("kernel_sizes"), a.ints("strides")
    if a.flag("ceil_mode"):
        raise a.refuse("ceil_mode")
    padded = F.pad(x, _padding(a, kernel, strides, [1] * len(kernel)), value=float("-inf"))
    return F.max_pool2d(padded, kernel, strides)


def avg_pool(a: Arguments) -> Result:
    import torch
    import torch.nn.functional as F

    x, kernel, strides = a.tensor("x"), a.ints("kernel_sizes"), a.ints("strides")
    if a.flag("ceil_mode"):
        raise a.refuse("ceil_mode")
    amounts = _padding(a, kernel, strides, [1] * len(kernel))
    total = F.avg_pool2d(F.pad(x, amounts), kernel, strides)
    if not a.flag("exclude_padding_from_average"):
        return total
    return total / F.avg_pool2d(F.pad(torch.ones_like(x), amounts), kernel, strides)


def slice_by_index(a: Arguments) -> Result:
    x = a.tensor("x")
    begin, end = a.ints("begin"), a.ints("end")
    stride = a.ints("stride") if a.has("stride") else [1] * x.ndim

    def mask(name: str) -> list[bool]:
        return [bool(v) for v in a.constant(name)] if a.has(name) else [False] * x.ndim

    if any(step < 1 for step in stride):
        raise a.refuse("a negative stride")
    firsts, lasts, squeezed = mask("begin_mask"), mask("end_mask"), mask("squeeze_mask")
    index: list[int | slice] = []
    for axis in range(x.ndim):
        if squeezed[axis]:
            index.append(begin[axis])
        else:
            index.append(slice(None if firsts[axis] else begin[axis], None if lasts[axis] else end[axis], stride[axis]))
    return x[tuple(index)]


def slice_by_size(a: Arguments) -> Result:
    x, begin, size = a.tensor("x"), a.ints("begin"), a.ints("size")
    return x[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begin, size, strict=True))]


def split(a: Arguments) -> Result:
    import torch

    x, axis = a.tensor("x"), a.integer("axis")
    return torch.split(
        x, a.ints("split_sizes") if a.has("split_sizes") else x.shape[axis] // a.integer("num_splits"), axis
    )


def concat(a: Arguments) -> Result:
    import torch

    if a.flag("interleave"):
        raise a.refuse("interleave")
    return torch.cat(a.tensors("values"), a.integer("axis"))


def stack(a: Arguments) -> Result:
    import torch

    return torch.stack(a.tensors("values"), a.integer("axis"))


def expand_dims(a: Arguments) -> Result:
    x = a.tensor("x")
    rank = x.ndim + len(a.ints("axes"))
    for axis in sorted(axis % rank for axis in a.ints("axes")):
        x = x.unsqueeze(axis)
    return x


def squeeze(a: Arguments) -> Result:
    x = a.tensor("x")
    axes = (
        [axis % x.ndim for axis in a.ints("axes")]
        if a.has("axes")
        else [i for i, size in enumerate(x.shape) if size == 1]
    )
    for axis in sorted(axes, reverse=True):
        x = x.squeeze(axis)
    return x


def reshape(a: Arguments) -> Result:
    x, shape = a.tensor("x"), a.ints_or_computed("shape")
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def gelu(a: Arguments) -> Result:
    import torch.nn.functional as F

    mode = a.text("mode") if a.has("mode") else "EXACT"
    if mode not in ("EXACT", "TANH_APPROXIMATION"):
        raise a.refuse(f"mode {mode!r}")
    return F.gelu(a.tensor("x"), approximate="none" if mode == "EXACT" else "tanh")


def pixel_shuffle(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.pixel_shuffle(a.tensor("x"), a.integer("upscale_factor"))


def pixel_unshuffle(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.pixel_unshuffle(a.tensor("x"), a.integer("downscale_factor"))


def cast(a: Arguments) -> Result:
    return a.tensor("x")  # the interpreter rounds every result to its declared dtype


def sigmoid_hard(a: Arguments) -> Result:
    return (a.number("alpha") * a.tensor("x") + a.number("beta")).clamp(0, 1)


def prelu(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.prelu(a.tensor("x"), a.tensor("alpha"))


def elementwise(function: str) -> Callable[[Arguments], Result]:
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


OPS: dict[str, Callable[[Arguments], Result]] = {
    "abs": elementwise("abs"),
    "add": binary("add"),
    "avg_pool": avg_pool,
    "batch_norm": batch_norm,
    "cast": cast,
    "clip": lambda a: a.tensor("x").clamp(a.number("alpha"), a.number("beta")),
    "concat": concat,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "erf": elementwise("erf"),
    "exp": elementwise("exp"),
    "expand_dims": expand_dims,
    "floor": elementwise("floor"),
    "gelu": gelu,
    "identity": cast,
    "instance_norm": instance_norm,
    "layer_norm": layer_norm,
    "leaky_relu": lambda a: a.tensor("x").clamp(min=0) + a.number("alpha") * a.tensor("x").clamp(max=0),
    "linear": linear,
    "matmul": matmul,
    "max_pool": max_pool,
    "maximum": binary("maximum"),
    "minimum": binary("minimum"),
    "mul": binary("mul"),
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "pow": binary("pow"),
    "prelu": prelu,
    "real_div": binary("true_divide"),
    "reduce_max": reduction("amax"),
    "reduce_mean": reduction("mean"),
    "reduce_min": reduction("amin"),
    "reduce_sum": reduction("sum"),
    "relu": elementwise("relu"),
    "relu6": lambda a: a.tensor("x").clamp(0, 6),
    "reshape": reshape,
    "rsqrt": lambda a: (a.tensor("x") + a.number("epsilon")).rsqrt(),
    "sigmoid": elementwise("sigmoid"),
    "sigmoid_hard": sigmoid_hard,
    "silu": lambda a: a.tensor("x") * a.tensor("x").sigmoid(),
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "softmax": lambda a: a.tensor("x").softmax(a.integer("axis")),
    "split": split,
    "sqrt": elementwise("sqrt"),
    "square": elementwise("square"),
    "squeeze": squeeze,
    "stack": stack,
    "sub": binary("sub"),
    "tanh": elementwise("tanh"),
    "tile": lambda a: a.tensor("x").tile(a.ints("reps")),
    "transpose": lambda a: a.tensor("x").permute(a.ints("perm")),
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest,
}
