"""What each operator makes of channels: one function a kind, in one visible dict. A rule says False for a form that it does not know."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import Node

    from builder.compression.channels import Channels

    Rule = Callable[[Channels, Node], bool]


def read_shape(node: Any) -> tuple[int, ...]:
    value: Any = getattr(node, "meta", {}).get("val")
    return tuple(int(size) for size in value.shape) if hasattr(value, "shape") else ()


def read_argument(node: Node, place: int, otherwise: Any = None) -> Any:
    return node.args[place] if len(node.args) > place else otherwise


def _convolution(channels: Channels, node: Node) -> bool:
    weight, bias, groups = node.args[1], read_argument(node, 2), int(read_argument(node, 6, 1))
    return _layer(channels, node, weight, bias, groups, transposed=False)


def _visit_transposed(channels: Channels, node: Node) -> bool:
    weight, bias, groups = node.args[1], read_argument(node, 2), int(read_argument(node, 6, 1))
    return _layer(channels, node, weight, bias, groups, transposed=True)


def _linear(channels: Channels, node: Node) -> bool:
    if len(read_shape(node.args[0])) != 2:
        return False
    return _layer(channels, node, node.args[1], read_argument(node, 2), 1, transposed=False)


def _layer(channels: Channels, node: Node, weight: Any, bias: Any, groups: int, *, transposed: bool) -> bool:
    source: Any = node.args[0]
    atoms = channels.atoms.get(source)
    if atoms is None or getattr(weight, "op", "") != "get_attr":
        return False
    into, out = (0, 1) if transposed else (1, 0)
    name = str(weight.target).removesuffix(".weight")
    if groups == 1:
        if str(weight.target) in channels.by_weight:  # the same weights again
            result = channels.by_weight[str(weight.target)]
            before = next(f for f in channels.followers if f.target == str(weight.target) and f.axis == into)
            channels.join(before.atoms, atoms)
        else:
            result = channels.new(read_shape(node)[1], name)
            channels.by_weight[str(weight.target)] = result
            channels.follow(weight, into, atoms)
            channels.follow(weight, out, result)
    elif groups == len(atoms) and not transposed:  # depthwise: a channel's filters go with it
        each = read_shape(node)[1] // groups
        result = tuple(atom for atom in atoms for _ in range(each))
        channels.follow(weight, 0, result)
        channels.edits.append(lambda kept: _set(node, 6, len(kept(atoms))))
    elif groups == len(atoms) and tuple(channels.value(weight).shape)[1] == 1:
        result = atoms
        channels.follow(weight, 0, atoms)
        channels.edits.append(lambda kept: _set(node, 6, len(kept(atoms))))
    else:
        return False
    if bias is not None:
        channels.follow(bias, 0, result)
    channels.atoms[node] = result
    return True


def _set(node: Node, place: int, value: Any) -> None:
    node.args = (*node.args[:place], value, *node.args[place + 1 :])


def _same(channels: Channels, node: Node) -> bool:
    """Value by value, or over rows and columns alone."""
    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    if atoms is None or read_shape(node)[1:2] != (len(atoms),):
        return False
    channels.atoms[node] = atoms
    return True


def _two(channels: Channels, node: Node) -> bool:
    """A sum or product of two values, one of which may be one channel, stored or a number."""
    one, other = (read_argument(node, place) for place in (0, 1))
    rank = len(read_shape(node))
    sides = [side for side in (one, other) if side in channels.atoms and len(read_shape(side)) == rank]
    stored = [side for side in (one, other) if getattr(side, "op", "") == "get_attr"]
    numbers = [side for side in (one, other) if isinstance(side, int | float)]
    if len(sides) + len(stored) + len(numbers) != 2 or not sides:
        return False
    atoms = max((channels.atoms[side] for side in sides), key=len)
    if read_shape(node)[1:2] != (len(atoms),):
        return False
    for side in sides:
        mine = channels.atoms[side]
        if len(mine) == len(atoms):
            channels.join(atoms, mine)
        elif len(mine) == 1:
            channels.keep(mine, f"{node.name} spreads it over all channels")
        else:
            return False
    for side in stored:
        shape = tuple(channels.value(side).shape)
        axis = len(shape) - rank + 1
        if axis >= 0 and shape and shape[axis] == len(atoms) > 1:
            channels.follow(side, axis, atoms)
        elif axis >= 0 and shape and shape[axis] != 1:
            return False
    channels.atoms[node] = atoms
    return True


def _visit_joined(channels: Channels, node: Node) -> bool:
    parts: Any = node.args[0]
    if read_argument(node, 1, 0) not in (1, 1 - len(read_shape(node))) or any(
        part not in channels.atoms for part in parts
    ):
        return False
    channels.atoms[node] = tuple(atom for part in parts for atom in channels.atoms[part])
    return True


def _split(channels: Channels, node: Node) -> bool:
    """chunk, split and split_with_sizes along channels: afterwards by the sizes that are left."""
    import torch

    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    if atoms is None or read_argument(node, 2, 0) != 1:
        return False
    values = node.meta["val"]
    sizes = [int(value.shape[1]) for value in values]
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    parts = [atoms[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    for user in node.users:
        if user.target is not operator.getitem:
            return False
        channels.atoms[user] = parts[user.args[1]]  # type: ignore[index]

    def edit(kept: Callable[[tuple[int, ...]], list[int]]) -> None:
        node.target = torch.ops.aten.split_with_sizes.default
        node.args = (node.args[0], [len(kept(part)) for part in parts], 1)

    channels.edits.append(edit)
    return True


def _item(channels: Channels, node: Node) -> bool:
    """One of a split's parts, which the split has told already."""
    return node in channels.atoms


def _slice(channels: Channels, node: Node) -> bool:
    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    if atoms is None:
        return False
    axis, step = read_argument(node, 1, 0), read_argument(node, 4, 1)
    if axis != 1:
        channels.atoms[node] = atoms
        return read_shape(node)[1:2] == (len(atoms),)
    start, end = read_argument(node, 2) or 0, read_argument(node, 3)
    part = atoms[slice(start, end)]
    if step != 1 or len(part) != read_shape(node)[1]:
        return False
    first = atoms.index(part[0]) if len(set(atoms)) == len(atoms) else None
    if first is None:
        return False

    def edit(kept: Callable[[tuple[int, ...]], list[int]]) -> None:
        begin = len(kept(atoms[:first]))
        node.args = (node.args[0], 1, begin, begin + len(kept(part)))

    channels.edits.append(edit)
    channels.atoms[node] = part
    return True


def _shuffle(channels: Channels, node: Node) -> bool:
    factor: Any = node.args[1]
    atoms, square = channels.atoms.get(node.args[0]), int(factor) ** 2  # type: ignore[arg-type]
    if atoms is None:
        return False
    groups = [atoms[start : start + square] for start in range(0, len(atoms), square)]
    for group in groups:
        channels.join(group[:1] * len(group), group)
    channels.atoms[node] = tuple(group[0] for group in groups)
    return True


def _unshuffle(channels: Channels, node: Node) -> bool:
    factor: Any = node.args[1]
    atoms, square = channels.atoms.get(node.args[0]), int(factor) ** 2  # type: ignore[arg-type]
    if atoms is None:
        return False
    channels.atoms[node] = tuple(atom for atom in atoms for _ in range(square))
    return True


def _make_stored_by_channel(*places: int) -> Rule:
    """Norms and the like: stored tensors at these places have one value a channel."""

    def rule(channels: Channels, node: Node) -> bool:
        if not _same(channels, node):
            return False
        atoms = channels.atoms[node]
        for place in places:
            stored = read_argument(node, place)
            if stored is None:
                continue
            if getattr(stored, "op", "") == "get_attr" and tuple(channels.value(stored).shape) == (1,) != (len(atoms),):
                continue  # one for all
            channels.follow(stored, 0, atoms)
        return True

    return rule


def _group_norm(channels: Channels, node: Node) -> bool:
    """One group, or a group for each channel; several of several channels must keep their sizes."""
    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    asked: Any = node.args[1]
    groups = int(asked)
    if atoms is None or groups not in (1, len(atoms)):
        return False
    if groups == len(atoms) > 1:
        channels.edits.append(lambda kept: _set(node, 1, len(kept(atoms))))
    return _make_stored_by_channel(2, 3)(channels, node)


def _over_pixels(channels: Channels, node: Node) -> bool:
    """Means and the like over rows and columns."""
    axes: Any = read_argument(node, 1)
    rank = len(read_shape(node.args[0]))
    axes = [axes] if isinstance(axes, int) else axes
    if not axes or any(axis % rank < 2 for axis in axes):
        return False
    return _same(channels, node)


def _flat(channels: Channels, node: Node) -> bool:
    """From pictures to one row of numbers, channel by channel."""
    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    before, after = read_shape(node.args[0]), read_shape(node)
    if atoms is None or len(after) != 2 or after[0] != before[0] or read_argument(node, 1, 0) != 1:
        return False
    channels.atoms[node] = tuple(atom for atom in atoms for _ in range(after[1] // len(atoms)))
    return True


def _view(channels: Channels, node: Node) -> bool:
    """A new shape that leaves batch and channels where they are."""
    atoms = channels.atoms.get(node.args[0])  # type: ignore[arg-type]
    before, after, sizes = read_shape(node.args[0]), read_shape(node), list(node.args[1])  # type: ignore[arg-type]
    if atoms is None or len(after) < 2 or after[0] != before[0]:
        return False
    if after[1] == len(atoms):
        result = atoms
    elif len(after) == 2:
        result = tuple(atom for atom in atoms for _ in range(after[1] // len(atoms)))
    else:
        return False
    if sizes[1] != -1:
        channels.edits.append(lambda kept: _set(node, 1, [sizes[0], len(kept(result)), *sizes[2:]]))
    channels.atoms[node] = result
    return True


def _visit_padded(channels: Channels, node: Node) -> bool:
    """Rows and columns alone: two numbers a side, from the last axis on."""
    sizes: Any = node.args[1]
    return len(sizes) <= 2 * (len(read_shape(node)) - 2) and _same(channels, node)


_VALUES = (
    "relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "elu", "selu", "silu", "silu_", "gelu", "sigmoid", "tanh",
    "hardsigmoid", "hardswish", "hardswish_", "softplus", "neg", "abs", "sqrt", "rsqrt", "exp", "log", "sin", "cos", "reciprocal", "clamp",
    "clamp_min", "clamp_max", "clone", "contiguous", "alias", "detach", "dropout", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d",
    "adaptive_max_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "_to_copy", "to", "square",
)  # fmt: skip
_OVERLOADS = ("default", "vec", "int", "dtype", "Scalar", "Tensor_Scalar")


def _rules() -> dict[str, Rule]:
    rules: dict[str, Rule] = {f"aten.{name}.{kind}": _same for name in _VALUES for kind in _OVERLOADS}
    rules |= {
        f"aten.{name}.Tensor": _two for name in ("add", "add_", "sub", "mul", "mul_", "div", "minimum", "maximum")
    }
    rules |= {f"aten.{name}.Scalar": _same for name in ("add", "sub", "mul", "div")}
    rules |= dict.fromkeys(("aten.conv2d.default", "aten.conv2d.padding"), _convolution)
    rules |= dict.fromkeys(("aten.chunk.default", "aten.split.Tensor", "aten.split_with_sizes.default"), _split)
    rules |= dict.fromkeys(
        ("aten.mean.dim", "aten.var.correction", "aten.sum.dim_IntList", "aten.var.dim"), _over_pixels
    )
    rules |= dict.fromkeys(("aten.view.default", "aten.reshape.default"), _view)
    rules |= dict.fromkeys(("aten.pad.default", "aten.reflection_pad2d.default", "aten.replication_pad2d.default",
                            "aten.constant_pad_nd.default"), _visit_padded)  # fmt: skip
    return rules | {
        "aten.conv_transpose2d.input": _visit_transposed,
        "aten.linear.default": _linear,
        "aten.cat.default": _visit_joined,
        "aten.slice.Tensor": _slice,
        "aten.unsqueeze.default": lambda found, node: read_argument(node, 1, 0) not in (0, 1) and _same(found, node),
        "aten.pow.Tensor_Scalar": _same,
        "aten.pixel_shuffle.default": _shuffle,
        "aten.pixel_unshuffle.default": _unshuffle,
        "aten.batch_norm.default": _make_stored_by_channel(1, 2, 3, 4),
        "aten.instance_norm.default": _make_stored_by_channel(1, 2, 3, 4),
        "aten.prelu.default": _make_stored_by_channel(1),
        "aten.group_norm.default": _group_norm,
        "aten.flatten.using_ints": _flat,
        str(operator.getitem): _item,
    }


RULES: dict[str, Rule] = _rules()
