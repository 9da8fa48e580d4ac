"""Ops that move, join, cut or pad values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments

if TYPE_CHECKING:
    from builder.backends.coreml.ops.arguments import Result


def to_declared_shape(a: Arguments) -> Result:
    """reshape, expand_dims and squeeze: the values in order, in the shape that the program declares."""
    return a.tensor("x").reshape(a.shape)


def transpose(a: Arguments) -> Result:
    return a.tensor("x").permute(a.ints("perm"))


def tile(a: Arguments) -> Result:
    return a.tensor("x").tile(a.ints("reps"))


def concat(a: Arguments) -> Result:
    import torch

    values, axis = a.tensors("values"), a.integer("axis") % len(a.shape)
    if not a.flag("interleave"):
        return torch.cat(values, axis)
    return torch.stack(values, axis + 1).flatten(axis, axis + 1)  # one slice of each in turn


def stack(a: Arguments) -> Result:
    import torch

    return torch.stack(a.tensors("values"), a.integer("axis"))


def split(a: Arguments) -> Result:
    import torch

    x, axis = a.tensor("x"), a.integer("axis")
    sizes = a.ints("split_sizes") if a.has("split_sizes") else x.shape[axis] // a.integer("num_splits")
    return torch.split(x, sizes, axis)


def slice_by_index(a: Arguments) -> Result:
    x = a.tensor("x")
    begin, end = a.ints("begin"), a.ints("end")
    stride = a.ints("stride") if a.has("stride") else [1] * x.ndim
    if any(step < 1 for step in stride):
        raise a.refuse("a stride below 1")
    firsts, lasts, squeezed = (a.flags(name, x.ndim) for name in ("begin_mask", "end_mask", "squeeze_mask"))
    index: list[int | slice] = []
    for axis in range(x.ndim):
        if squeezed[axis]:
            index.append(begin[axis])
        else:
            index.append(slice(None if firsts[axis] else begin[axis], None if lasts[axis] else end[axis], stride[axis]))
    return x[tuple(index)]


def slice_by_size(a: Arguments) -> Result:
    x, begin, size = a.tensor("x"), a.ints("begin"), a.ints("size")
    starts = [start % length for start, length in zip(begin, x.shape, strict=True)]
    return x[tuple(slice(start, None if n == -1 else start + n) for start, n in zip(starts, size, strict=True))]


def crop(a: Arguments) -> Result:
    """Removes (before, after) of height and width."""
    x, (top, bottom), (left, right) = a.tensor("x"), a.ints("crop_height"), a.ints("crop_width")
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def reverse(a: Arguments) -> Result:
    x = a.tensor("x")
    return x.flip(a.ints("axes") if a.has("axes") else list(range(x.ndim)))


def gather(a: Arguments) -> Result:
    import torch

    if a.has("batch_dims") and a.integer("batch_dims"):
        raise a.refuse("batch_dims")
    x, axis, indices = a.tensor("x"), a.integer("axis"), a.tensor("indices").long()
    axis %= x.ndim
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    picked = x.index_select(axis, indices.reshape(-1))
    return picked.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def pad(a: Arguments) -> Result:
    """`pad` has (before, after) for the last dimensions in their order; torch wants the last dimension first."""
    import torch.nn.functional as F

    x, amounts, mode = a.tensor("x"), a.ints("pad"), a.text("mode")
    pairs = [amounts[start : start + 2] for start in range(0, len(amounts), 2)]
    while mode != "constant" and len(pairs) > max(x.ndim - 2, 2) and pairs[0] == [0, 0]:
        pairs.pop(0)  # torch's other modes take the padded dimensions only
    flat = [side for pair in reversed(pairs) for side in pair]
    if mode == "constant":
        return F.pad(x, flat, value=a.number("constant_val"))
    if mode not in ("reflect", "replicate") or len(pairs) > max(x.ndim - 2, 2) or x.ndim not in (3, 4, 5):
        raise a.refuse(f"mode {mode!r} on {len(pairs)} of {x.ndim} dimensions")
    return F.pad(x, flat, mode=mode)


def pixel_shuffle(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.pixel_shuffle(a.tensor("x"), a.integer("upscale_factor"))


def pixel_unshuffle(a: Arguments) -> Result:
    import torch.nn.functional as F

    return F.pixel_unshuffle(a.tensor("x"), a.integer("downscale_factor"))


def depth_to_space(a: Arguments) -> Result:
    """Blocks before channels (MIL), where pixel_shuffle has channels before blocks."""
    x, size = a.tensor("x"), a.integer("block_size")
    n, c, h, w = x.shape
    y = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(n, c // size**2, h * size, w * size)


def space_to_depth(a: Arguments) -> Result:
    x, size = a.tensor("x"), a.integer("block_size")
    n, c, h, w = x.shape
    y = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return y.reshape(n, c * size**2, h // size, w // size)


def sliding_windows(a: Arguments) -> Result:
    """Windows along an axis, each on an axis of its own behind the number of the window."""
    x, axis, size = a.tensor("x"), a.integer("axis"), a.integer("size")
    axis %= x.ndim
    windows = x.unfold(axis, size, a.integer("stride") if a.has("stride") else 1)
    return windows.movedim(-1, axis + 1)
