"""Sorted values, medians and the k largest, each from the k largest of a row: what all backends have of it.

One converter takes them over the last of two axes only. Two have no sort and no median.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, replace_calls

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    functions: dict[str, Callable[..., Any]] = {"aten.topk.default": _largest}
    for name, function in _VALUES.items():
        if not _reads_places(program, name):
            functions[name] = function
    return replace_calls(program, functions, only=_needs_it)


def _needs_it(node: Node) -> bool:
    """The k largest of rows are what they are."""
    x: Any = node.args[0]
    if not x.meta["val"].is_floating_point():
        return False
    largest = len(node.args) < 4 or bool(node.args[3])
    return "topk" not in str(node.target) or x.meta["val"].ndim != 2 or not largest


def _reads_places(program: ExportedProgram, name: str) -> bool:
    """Whether places are read: among equal values each runtime has its own order, so these operators stay."""
    calls = [node for node in program.graph.nodes if str(node.target) == name]
    return any(user.args[1] == 1 and user.users for node in calls for user in node.users)


def _largest(x: Tensor, k: int, axis: int = -1, largest: bool = True, ordered: bool = True) -> Any:
    import torch

    if not x.is_floating_point() or x.ndim == 0 or (x.ndim == 2 and axis in (-1, 1) and largest):
        return NotImplemented
    turned = x.transpose(axis, -1)
    rows = turned.reshape(-1, turned.shape[-1])
    values, places = torch.ops.aten.topk.default(rows if largest else -rows, k)
    values = values if largest else -values
    return tuple(part.reshape(*turned.shape[:-1], k).transpose(axis, -1) for part in (values, places))


def _sorted(x: Tensor, axis: int = -1, descending: bool = False) -> Any:
    return NotImplemented if x.ndim == 0 else _values(x, axis, x.shape[axis], descending)


def _stably_sorted(x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    return _sorted(x, dim, descending)


def _median(x: Tensor, axis: int, keepdim: bool = False) -> Any:
    """The lower of the two in the middle, as torch has it: the largest of the lower half."""
    if not x.is_floating_point() or x.ndim == 0:
        return NotImplemented
    count = x.shape[axis]
    values, places = _values(x, axis, count - (count - 1) // 2, True)
    values, places = values.narrow(axis, -1, 1), places.narrow(axis, -1, 1)
    return (values, places) if keepdim else (values.squeeze(axis), places.squeeze(axis))


def _values(x: Tensor, axis: int, k: int, descending: bool) -> Any:
    import torch

    if not x.is_floating_point():
        return NotImplemented
    found = _largest(x, k, axis, descending)
    return tuple(torch.ops.aten.topk.default(x, k)) if found is NotImplemented else found


_VALUES: dict[str, Callable[..., Any]] = {
    "aten.sort.default": _sorted,
    "aten.sort.stable": _stably_sorted,
    "aten.median.dim": _median,
}
