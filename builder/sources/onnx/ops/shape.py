"""Operations that move, repeat, join and cut without arithmetic. Shapes are static, so computed ones become constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from builder.sources.network import Call, Weight
from builder.sources.onnx.graph import Importer, Node, call_plainly
from builder.sources.onnx.ops.elementwise import find_torch_dtype

if TYPE_CHECKING:
    from torch import Tensor


def _reshape(node: Node) -> Call:
    wanted, shape = node.read_ints(1, "shape"), node.shape()
    if wanted is None:
        raise node.refuse("has no shape", "correct the exported graph")
    if not node.integer("allowzero", 0):
        wanted = [shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return call_plainly(node, lambda x: x.reshape(wanted), 1)


def _flatten(node: Node) -> Call:
    shape = node.shape()
    axis = node.integer("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    target = (math.prod(shape[:axis]), math.prod(shape[axis:]))
    return call_plainly(node, lambda x: x.reshape(target), 1)


def _axes(node: Node) -> list[int] | None:
    """The axes of Squeeze, Unsqueeze and reductions: an attribute, since opset 13 (reductions: 18) an input."""
    if "axes" in node.attributes:
        return node.integers("axes")
    return node.read_ints(1, "axes")


def _squeeze(node: Node) -> Call:
    shape, axes = node.shape(), _axes(node)
    gone = [node.axis(a) for a in axes] if axes is not None else [i for i, size in enumerate(shape) if size == 1]
    if any(shape[axis] != 1 for axis in gone):
        raise node.refuse(f"removes axes {gone} of a tensor of shape {list(shape)}", "remove axes of size 1 only")
    target = [size for axis, size in enumerate(shape) if axis not in gone]
    return call_plainly(node, lambda x: x.reshape(target), 1)


def _unsqueeze(node: Node) -> Call:
    axes = _axes(node)
    if axes is None:
        raise node.refuse("has no axes", "correct the exported graph")
    target = list(node.shape())
    rank = len(target) + len(axes)
    for axis in sorted(node.axis(a, rank) for a in axes):
        target.insert(axis, 1)
    return call_plainly(node, lambda x: x.reshape(target), 1)


def _transpose(node: Node) -> Call:
    order = node.integers("perm", list(reversed(range(node.rank()))))
    if order == list(range(len(order))):
        return call_plainly(node, lambda x: x, 1)
    return call_plainly(node, lambda x: x.permute(order))


def _concat(node: Node) -> Call:
    import torch

    axis = node.axis(node.integer("axis"))
    return call_plainly(node, lambda *values: torch.cat(values, axis))


def _split(node: Node) -> Call:
    import torch

    axis = node.axis(node.integer("axis", 0))
    total, count = node.shape()[axis], len(node.outputs)
    sizes = node.integers("split") if "split" in node.attributes else node.read_ints(1, "sizes")
    if sizes is None:
        part = -(-total // count)  # the last one may be smaller
        sizes = [part] * (count - 1) + [total - part * (count - 1)]
    if sum(sizes) != total or len(sizes) != count or min(sizes) < 0:
        raise node.refuse(f"splits {total} into {sizes}", "correct the exported graph")
    return call_plainly(node, lambda x: torch.split(x, sizes, axis), 1)


def _slice(node: Node) -> Call:
    """A negative step is a selection by stored indices, which every backend has; so is no step beyond one."""
    import torch

    starts, ends = node.read_ints(1, "starts"), node.read_ints(2, "ends")
    if starts is None or ends is None:
        raise node.refuse("has no starts or ends", "correct the exported graph")
    shape = node.shape()
    axes = [node.axis(a) for a in node.read_ints(3, "axes") or range(len(starts))]
    steps = node.read_ints(4, "steps") or [1] * len(starts)
    if 0 in steps:
        raise node.refuse("has a step of 0", "correct the exported graph")
    index = [slice(None)] * len(shape)
    backwards: dict[int, Weight] = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        chosen = range(*_limits(start, end, step, shape[axis]), step)
        if step > 0:
            index[axis] = slice(chosen.start, max(chosen.stop, chosen.start), step)
        else:
            backwards[axis] = Weight(role=f"index{axis}", value=torch.tensor(list(chosen), dtype=torch.int64))
    forwards = tuple(index)

    def cut(x: Tensor, *chosen: Tensor) -> Tensor:
        if any(part != slice(None) for part in forwards):
            x = x[forwards]
        for axis, selection in zip(backwards, chosen, strict=True):
            x = torch.index_select(x, axis, selection)
        return x

    return Call(function=cut, operands=(node.inputs[0], *backwards.values()))


def _limits(start: int, end: int, step: int, size: int) -> tuple[int, int]:
    """Start and end counted from the front and clamped, which differs by the direction."""
    start, end = (value + size if value < 0 else value for value in (start, end))
    if step > 0:
        return min(max(start, 0), size), min(max(end, 0), size)
    return min(max(start, 0), size - 1), min(max(end, -1), size - 1)


def _gather(node: Node) -> Call:
    """Constant indices may count from the end; computed ones (a style's number) must not be negative, as torch has it."""
    import torch

    axis, shape, shape_of_index = node.axis(node.integer("axis", 0)), node.shape(), node.shape(1)
    target = (*shape[:axis], *shape_of_index, *shape[axis + 1 :])
    constant = node.constant(1)
    if constant is None:
        return call_plainly(node, lambda x, i: torch.index_select(x, axis, i.reshape(-1)).reshape(target))
    index = torch.where(constant < 0, constant + shape[axis], constant)
    if constant.numel() and (int(index.min()) < 0 or int(index.max()) >= shape[axis]):
        raise node.refuse(f"takes an element beyond the {shape[axis]} of axis {axis}", "correct the exported graph")
    if index.ndim == 0:
        one = int(index)
        return call_plainly(node, lambda x: x.select(axis, one), 1)
    flat = index.reshape(-1)
    if bool((flat == torch.arange(int(flat[0]), int(flat[0]) + len(flat))).all()):
        first, count = int(flat[0]), len(flat)
        return call_plainly(node, lambda x: x.narrow(axis, first, count).reshape(target), 1)
    return Call(
        function=lambda x, i: torch.index_select(x, axis, i).reshape(target),
        operands=(node.inputs[0], Weight(role="index", value=flat)),
    )


def _gather_elements(node: Node) -> Call:
    import torch

    axis = node.axis(node.integer("axis", 0))
    size = node.shape()[axis]
    return call_plainly(node, lambda x, i: torch.gather(x, axis, torch.where(i < 0, i + size, i)))


def _tile(node: Node) -> Call:
    repeats = node.read_ints(1, "repeats") or []
    return call_plainly(node, lambda x: x.repeat(repeats), 1)


def _expand(node: Node) -> Call:
    """Unlike torch's, sizes of 1 leave the tensor's own size as it is."""
    import torch

    target = cast(Any, torch).broadcast_shapes(node.shape(), tuple(node.read_ints(1, "shape") or []))
    return call_plainly(node, lambda x: x.expand(target), 1)


def _shape(node: Node) -> Call:
    import torch

    rank = node.rank()
    start, end = node.integer("start", 0), node.integer("end", rank)
    value = torch.tensor(node.shape()[slice(start, end)], dtype=torch.int64)
    return Call(function=lambda: value, operands=())


def _size(node: Node) -> Call:
    import torch

    value = torch.tensor(math.prod(node.shape()))
    return Call(function=lambda: value, operands=())


def _constant(node: Node) -> Call:
    import torch

    attributes = node.attributes
    if "value" in attributes:
        value = attributes["value"]
    elif "value_float" in attributes or "value_floats" in attributes:
        value = torch.tensor(attributes.get("value_float", attributes.get("value_floats")), dtype=torch.float32)
    elif "value_int" in attributes or "value_ints" in attributes:
        value = torch.tensor(attributes.get("value_int", attributes.get("value_ints")), dtype=torch.int64)
    else:
        raise node.refuse("holds no number or tensor", "use tensors, floats or integers")
    return Call(function=lambda: value, operands=())


def _constant_of_shape(node: Node) -> Call:
    import torch

    sizes = node.read_ints(0, "sizes") or []
    value = node.attributes.get("value", torch.zeros(1))
    filled = value.reshape(()).expand(sizes).clone()
    return Call(function=lambda: filled, operands=())


def _range(node: Node) -> Call:
    import torch

    start, limit, delta = (node.read_number(i, "limit") for i in range(3))
    if start is None or limit is None or delta is None:
        raise node.refuse("has no limits", "correct the exported graph")
    value = torch.arange(start, limit, delta, dtype=node.values.tensor(node.inputs[0]).dtype)
    return Call(function=lambda: value, operands=())


def _depth_to_space(node: Node) -> Call:
    from torch.nn import functional

    block = node.integer("blocksize")
    if node.text("mode", "DCR") == "CRD":
        return call_plainly(node, lambda x: functional.pixel_shuffle(x, block))
    n, c, h, w = node.shape()
    part = c // block**2

    def rearrange(x: Tensor) -> Tensor:
        y = x.reshape(n, block, block, part, h, w).permute(0, 3, 4, 1, 5, 2)
        return y.reshape(n, part, h * block, w * block)

    return call_plainly(node, rearrange)


def _space_to_depth(node: Node) -> Call:
    block = node.integer("blocksize")
    n, c, h, w = node.shape()

    def rearrange(x: Tensor) -> Tensor:
        y = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return y.reshape(n, c * block**2, h // block, w // block)

    return call_plainly(node, rearrange)


def _pad(node: Node) -> Call:
    from torch.nn import functional

    mode = node.text("mode", "constant")
    known = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in known:
        raise node.refuse(f"has the mode {mode!r}", f"use one of {', '.join(known)}")
    rank, given = node.rank(), node.read_ints(1, "pads")
    if given is None:
        raise node.refuse("has no pads", "correct the exported graph")
    axes = [node.axis(a) for a in node.read_ints(3, "axes") or range(rank)]
    pairs = dict.fromkeys(range(rank), (0, 0))
    for i, axis in enumerate(axes):
        pairs[axis] = (given[i], given[i + len(axes)])
    padded = [axis for axis in range(rank) if pairs[axis] != (0, 0)]
    if not padded:
        return call_plainly(node, lambda x: x, 1)
    if mode == "constant":
        value = node.read_number(2, "value") or 0
        amounts = [amount for axis in range(rank - 1, min(padded) - 1, -1) for amount in pairs[axis]]
        return call_plainly(node, lambda x: functional.pad(x, amounts, value=value), 1)
    spatial = rank - 2
    if rank not in (3, 4, 5) or min(padded) < 2 or any(amount < 0 for pair in pairs.values() for amount in pair):
        raise node.refuse(
            f"pads {mode} over axes {padded}", "pad the spatial axes of a picture only, by positive amounts"
        )
    amounts = [amount for axis in range(rank - 1, rank - 1 - spatial, -1) for amount in pairs[axis]]
    return call_plainly(node, lambda x: functional.pad(x, amounts, mode=known[mode]), 1)


def _eye_like(node: Node) -> Call:
    import torch

    rows, columns = node.shape()
    offset = node.integer("k", 0)
    dtype = node.values.tensor(node.inputs[0]).dtype
    if "dtype" in node.attributes:
        dtype = find_torch_dtype(node, node.integer("dtype"))  # type: ignore[assignment]
    value = torch.diag(torch.ones(max(rows, columns) + abs(offset)), offset)[:rows, :columns].to(dtype)
    return Call(function=lambda: value, operands=())


def _trilu(node: Node) -> Call:
    import torch

    function = torch.triu if node.integer("upper", 1) else torch.tril
    diagonal = int(node.read_number(1, "diagonal") or 0)
    return call_plainly(node, lambda x: function(x, diagonal), 1)


OPS: dict[str, Importer] = {
    "Concat": _concat, "Constant": _constant, "ConstantOfShape": _constant_of_shape, "DepthToSpace": _depth_to_space,
    "Expand": _expand, "EyeLike": _eye_like, "Flatten": _flatten, "Gather": _gather, "GatherElements": _gather_elements,
    "Pad": _pad, "Range": _range, "Reshape": _reshape, "Shape": _shape, "Size": _size, "Slice": _slice,
    "SpaceToDepth": _space_to_depth, "Split": _split, "Squeeze": _squeeze, "Tile": _tile, "Transpose": _transpose,
    "Trilu": _trilu, "Unsqueeze": _unsqueeze,
}  # fmt: skip
