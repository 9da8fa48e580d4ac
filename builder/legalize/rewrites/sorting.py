"""Sorted values, medians and the k largest: of a few values by comparing two at a time, of many from the k largest of rows.

Two backends have no sort and no median, and one has no `topk` at all. All have the smaller and the larger of two.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional, reads_places, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Values that are compared two at a time, in at most 191 comparisons.
_FEW = 32


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    functions: dict[str, Callable[..., Any]] = {"aten.topk.default": _turn}
    for name, function in _VALUES.items():
        if not reads_places(program, name):
            functions[name] = function
    program, count = replace_calls(program, functions, only=_takes_floats)
    if not any(_gives_values_alone(node) for node in program.graph.nodes):
        return program, count
    return _read_by_places(program if count else make_functional(program)), max(count, 1)


def _gives_values_alone(node: Node) -> bool:
    if str(node.target) != "aten.topk.default" or not _takes_floats(node):
        return False
    return not any(user.args[1] == 1 and user.users for user in node.users)


def _read_by_places(program: ExportedProgram) -> ExportedProgram:
    """Values of `topk` as what stands at their places: TFLite's converter makes a sort, which no runtime has, of values alone."""
    import torch

    for node in [node for node in program.graph.nodes if _gives_values_alone(node)]:
        x, axis = node.args[0], node.args[2] if len(node.args) > 2 else -1
        for values in [user for user in node.users if user.args[1] == 0 and user.users]:
            with program.graph.inserting_after(values):
                places = program.graph.call_function(operator.getitem, (node, 1))
            with program.graph.inserting_after(places):
                read = program.graph.call_function(torch.ops.aten.gather.default, (x, axis, places))
            places.meta = {**values.meta, "val": node.meta["val"][1]}
            read.meta = dict(values.meta)
            values.replace_all_uses_with(read)
            program.graph_signature.replace_all_uses(values.name, read.name)
    program.graph_module.recompile()
    return program


def _takes_floats(node: Node) -> bool:
    x: Any = node.args[0]
    return bool(x.meta["val"].is_floating_point() and x.meta["val"].ndim)


def _turn(x: Tensor, k: int, axis: int = -1, largest: bool = True, ordered: bool = True) -> Any:
    """The k largest of rows, with their places; the smallest are the largest of what is negated."""
    import torch

    if not x.is_floating_point() or x.ndim == 0 or (x.ndim == 2 and axis in (-1, 1) and largest):
        return NotImplemented
    turned = x.transpose(axis, -1)
    rows = turned.reshape(-1, turned.shape[-1])
    values, places = torch.ops.aten.topk.default(rows if largest else -rows, k)
    values = values if largest else -values
    return tuple(part.reshape(*turned.shape[:-1], k).transpose(axis, -1) for part in (values, places))


def _largest(x: Tensor, k: int, axis: int = -1, largest: bool = True, ordered: bool = True) -> Any:
    """The values alone, in order; places, which nothing reads, are zeros."""
    import torch

    if not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    if x.shape[axis] > _FEW:
        return _turn(x, k, axis, largest)
    ordered_parts = _in_order([x.narrow(axis, number, 1) for number in range(x.shape[axis])])
    parts = ordered_parts[::-1][:k] if largest else ordered_parts[:k]
    values = parts[0] if k == 1 else torch.cat(parts, axis)
    return values, torch.zeros(values.shape, dtype=torch.int64)


def _in_order(parts: list[Tensor]) -> list[Tensor]:
    """Smallest first, by the merge exchange of Batcher 1968 (Knuth, The Art of Computer Programming 3, algorithm 5.2.2 M)."""
    import torch

    parts, count = list(parts), len(parts)
    highest = 1 << max(count - 1, 0).bit_length() >> 1
    step = highest
    while step > 0:
        apart, rest, distance = highest, 0, step
        while True:
            for number in range(count - distance):
                if number & step == rest:
                    one, other = parts[number], parts[number + distance]
                    parts[number], parts[number + distance] = torch.minimum(one, other), torch.maximum(one, other)
            if apart == step:
                break
            distance, apart, rest = apart - step, apart >> 1, step
        step >>= 1
    return parts


def _values(x: Tensor, k: int, axis: int, largest: bool) -> Any:
    import torch

    found = _largest(x, k, axis, largest)
    return torch.ops.aten.topk.default(x, k) if found is NotImplemented else found


def _sort(x: Tensor, axis: int = -1, descending: bool = False) -> Any:
    if not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    return tuple(_values(x, x.shape[axis], axis, descending))


def _sort_stably(x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    return _sort(x, dim, descending)


def _median(x: Tensor, axis: int, keepdim: bool = False) -> Any:
    """The lower of the two in the middle, as torch has it: the smallest of the upper part."""
    if not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    count = x.shape[axis]
    last = count - (count - 1) // 2
    values, places = (part.narrow(axis, last - 1, 1) for part in _values(x, last, axis, True))
    return (values, places) if keepdim else (values.squeeze(axis), places.squeeze(axis))


def _take_median_of_all(x: Tensor) -> Any:
    median = _median(x.reshape(-1), 0) if x.ndim else NotImplemented
    return NotImplemented if median is NotImplemented else median[0]


def _quantile(
    x: Tensor, q: float, axis: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """Between the two values that stand around q of the way from the smallest to the largest."""
    if interpolation != "linear" or not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    values, dim = (x.reshape(-1), 0) if axis is None else (x, axis)
    place = q * (values.shape[dim] - 1)
    low, part = int(place), place - int(place)
    value = _kth(values, low + 1, dim, True)[0]
    if part:
        value = value * (1 - part) + _kth(values, low + 2, dim, True)[0] * part
    if axis is None:
        return value.reshape([1] * x.ndim if keepdim else [])
    return value if keepdim else value.squeeze(dim)


def _kth(x: Tensor, k: int, axis: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest: the largest of the k smallest, or the smallest of the others, whichever are fewer."""
    if not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    others = x.shape[axis] - k + 1
    values, places = (part.narrow(axis, min(k, others) - 1, 1) for part in _values(x, min(k, others), axis, others < k))
    return (values, places) if keepdim else (values.squeeze(axis), places.squeeze(axis))


_VALUES: dict[str, Callable[..., Any]] = {
    "aten.sort.default": _sort,
    "aten.sort.stable": _sort_stably,
    "aten.median.dim": _median,
    "aten.median.default": _take_median_of_all,
    "aten.kthvalue.default": _kth,
    "aten.quantile.scalar": _quantile,
    "aten.topk.default": _largest,
}
