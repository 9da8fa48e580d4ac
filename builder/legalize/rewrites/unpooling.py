"""Unpooling to the places that a pooling remembers (SegNet): comparisons of each value with the largest of its window.

Two backends have no such operator, and places are numbers of no picture. Windows that overlap stay, and are refused by name.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
_POOL, _UNPOOL = "aten.max_pool2d_with_indices.default", "aten.max_unpool2d.default"


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    if not any(str(node.target) == _UNPOOL and _pooling(node) for node in program.graph.nodes):
        return program, 0
    module: Any = make_functional(program).module(check_guards=False)
    graph, count = module.graph, 0
    for node in list(graph.nodes):
        if str(node.target) != _UNPOOL or (pool := _pooling(node)) is None:
            continue
        with graph.inserting_before(node):
            made = _unpool(graph, node, pool)
        node.replace_all_uses_with(made)
        count += 1
    graph.eliminate_dead_code()
    for pool in [node for node in graph.nodes if str(node.target) == _POOL]:
        _forget_places(graph, pool)
    graph.eliminate_dead_code()
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), count


def _pooling(node: Node) -> Node | None:
    """Whose places an unpooling reads: windows side by side, square and whole, over a picture of the size that comes back."""
    places, size = node.args[1:]
    if getattr(places, "target", None) is not operator.getitem or places.args[1] != 1:  # type: ignore[union-attr]
        return None
    pool: Any = places.args[0]  # type: ignore[union-attr]
    if str(pool.target) != _POOL:
        return None
    defaults: list[Any] = [(), 0, 1, False]
    arguments: list[Any] = list(pool.args) + defaults[len(pool.args) - 2 :]
    x, kernel, stride, padding, dilation, up = arguments
    shape = x.meta["val"].shape
    window, step = _pair(kernel), _pair(stride or kernel)
    fits = (
        window == step and window[0] == window[1] and _pair(padding) == (0, 0) and _pair(dilation) == (1, 1) and not up
    )
    return pool if fits and len(shape) == 4 and list(shape[2:]) == list(size) else None  # type: ignore[arg-type]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _unpool(graph: Any, node: Node, pool: Node) -> Node:
    """Each place of the window gets the value where it held the largest one, the first of equals, and else zero."""
    import torch

    aten = torch.ops.aten
    values, x, window = node.args[0], pool.args[0], _pair(pool.args[1])[0]
    n, channels, height, width = (int(size) for size in x.meta["val"].shape)  # type: ignore[union-attr]
    rows, columns = height // window, width // window

    def call(target: Any, *args: Any, **kwargs: Any) -> Node:
        made: Node = graph.call_function(target, args, kwargs)
        made.meta = {key: kept for key, kept in node.meta.items() if key != "val"}
        return made

    largest = call(aten.max_pool2d.default, x, [window, window], [window, window])
    free: Any = None  # 1 where no place before held it
    placed = []
    for i in range(window):
        row = call(aten.slice.Tensor, x, 2, i, rows * window, window)
        for j in range(window):
            here = call(aten.slice.Tensor, row, 3, j, columns * window, window)
            held = call(aten._to_copy.default, call(aten.ge.Tensor, here, largest), dtype=torch.float32)
            first = held if free is None else call(aten.mul.Tensor, held, free)
            others = call(aten.rsub.Scalar, first, 1.0) if free is None else call(aten.sub.Tensor, free, first)
            free = others
            placed.append(call(aten.mul.Tensor, values, first))
    stacked = call(aten.stack.default, placed, 2)
    flat = call(aten.reshape.default, stacked, [n, channels * window * window, rows, columns])
    made = call(aten.pixel_shuffle.default, flat, window)
    missing = [0, width - columns * window, 0, height - rows * window]
    return call(aten.constant_pad_nd.default, made, missing, 0.0) if any(missing) else made


def _forget_places(graph: Any, pool: Node) -> None:
    """A pooling whose places nothing reads any more is a plain one."""
    import torch

    read = [user for user in pool.users if user.users]
    if any(user.args[1] != 0 for user in read):
        return
    with graph.inserting_before(pool):
        plain = graph.call_function(torch.ops.aten.max_pool2d.default, pool.args, pool.kwargs)
    for user in read:
        plain.meta = dict(user.meta)
        user.replace_all_uses_with(plain)
