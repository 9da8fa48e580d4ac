"""Ops that read or write values at computed places, count, or sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.coreml.ops.arguments import Arguments

if TYPE_CHECKING:
    import torch

    from builder.backends.coreml.ops.arguments import Result

_REDUCE = {"add": "sum", "sub": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _places(a: Arguments, name: str, size: int) -> torch.Tensor:
    """Indices from the front: those below 0 count from the end."""
    import torch

    indices = a.tensor(name).long()
    return torch.where(indices < 0, indices + size, indices)


def gather_along_axis(a: Arguments) -> Result:
    x, axis = a.tensor("x"), a.integer("axis")
    return x.gather(axis % x.ndim, _places(a, "indices", x.shape[axis]))


def gather_nd(a: Arguments) -> Result:
    if a.has("batch_dims") and a.integer("batch_dims"):
        raise a.refuse("batch_dims")
    x, indices = a.tensor("x"), a.tensor("indices").long()
    return x[tuple(indices.unbind(-1))]


def scatter(a: Arguments) -> Result:
    """Whole slices along one axis."""
    x, updates = a.tensor("data"), a.tensor("updates")
    axis = (a.integer("axis") if a.has("axis") else 0) % x.ndim
    indices = _places(a, "indices", x.shape[axis])
    shape = [1] * x.ndim
    shape[axis] = -1
    return _write_updates(a, x, axis, indices.reshape(shape).expand(updates.shape), updates, "update")


def scatter_along_axis(a: Arguments) -> Result:
    x = a.tensor("data")
    axis = (a.integer("axis") if a.has("axis") else 0) % x.ndim
    return _write_updates(a, x, axis, _places(a, "indices", x.shape[axis]), a.tensor("updates"), "update")


def scatter_nd(a: Arguments) -> Result:
    """As `scatter` on the axes that an index names, taken as one."""
    import math

    x, indices, updates = a.tensor("data"), a.tensor("indices").long(), a.tensor("updates")
    named = indices.shape[-1]
    outer, inner = x.shape[:named], x.shape[named:]
    place = indices.new_zeros(indices.shape[:-1])
    for number, size in enumerate(outer):
        each = indices[..., number]
        place = place * size + each.where(each >= 0, each + size)
    rows = x.reshape(math.prod(outer), -1)
    flat = updates.reshape(place.numel(), -1)
    return _write_updates(a, rows, 0, place.reshape(-1, 1).expand(flat.shape), flat, "add").reshape(*outer, *inner)


def _write_updates(
    a: Arguments, x: torch.Tensor, axis: int, indices: torch.Tensor, updates: torch.Tensor, default: str
) -> torch.Tensor:
    mode = a.text("mode") if a.has("mode") else default
    if mode == "update":
        return x.scatter(axis, indices, updates)
    if mode not in _REDUCE:
        raise a.refuse(f"mode {mode!r}")
    return x.scatter_reduce(axis, indices, -updates if mode == "sub" else updates, _REDUCE[mode])


def topk(a: Arguments) -> Result:
    """Values and places; on the same value the first place, as torch's sort has it."""
    import torch

    x, axis = a.tensor("x"), a.integer("axis") if a.has("axis") else -1
    count = a.integer("k") if a.has("k") else 1
    values, places = torch.sort(x, dim=axis, descending=not a.flag("ascending"), stable=True)
    best = (values.narrow(axis, 0, count), places.narrow(axis, 0, count))
    return best[: len(a.op.outputs)]


def argsort(a: Arguments) -> Result:
    import torch

    axis = a.integer("axis") if a.has("axis") else -1
    return torch.argsort(a.tensor("x"), dim=axis, descending=not a.flag("ascending"), stable=True)


def one_hot(a: Arguments) -> Result:
    import torch

    size, axis = a.integer("one_hot_vector_size"), a.integer("axis") if a.has("axis") else -1
    on = a.number("on_value") if a.has("on_value") else 1.0
    off = a.number("off_value") if a.has("off_value") else 0.0
    indices = a.tensor("indices").long().unsqueeze(axis)
    shape = [1] * indices.ndim
    shape[axis] = size
    hot = indices == torch.arange(size).reshape(shape)
    return torch.where(hot, on, off)


def cumsum(a: Arguments) -> Result:
    x, axis = a.tensor("x"), a.integer("axis") if a.has("axis") else 0
    x = x.flip(axis) if a.flag("reverse") else x
    y = x.cumsum(axis)
    y = y - x if a.flag("exclusive") else y
    return y.flip(axis) if a.flag("reverse") else y


def band_part(a: Arguments) -> Result:
    """Everything but `lower` diagonals below and `upper` above the main one is 0; -1 keeps all."""
    import torch

    x = a.tensor("x")
    lower, upper = a.integer("lower"), a.integer("upper")
    distance = torch.arange(x.shape[-1])[None, :] - torch.arange(x.shape[-2])[:, None]
    kept = ((distance >= -lower) | (lower < 0)) & ((distance <= upper) | (upper < 0))
    return x * kept


def range_1d(a: Arguments) -> Result:
    import torch

    return torch.arange(a.number("start"), a.number("end"), a.number("step"))


def fill(a: Arguments) -> Result:
    import torch

    return torch.full(a.shape, a.number("value") if a.has("value") else 0.0)


def shape(a: Arguments) -> Result:
    import torch

    return torch.tensor(a.tensor("x").shape)
