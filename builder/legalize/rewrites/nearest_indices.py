"""Nearest resizing by factors that are not whole as reads of stored rows and columns.

TFLite's operator reads from the middle of pixels, torch from their edge: for 49 rows of 25 every fourth row is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.nearest_upsampling import find_factors
from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY = ("litert",)
_RESIZING = ("aten.upsample_nearest2d.vec", "aten.upsample_nearest2d.default", "aten._upsample_nearest_exact2d.vec")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    names = {node.name for node in program.graph.nodes if _is_broken(node)}
    if not names:
        return program, 0
    aten = torch.ops.aten
    module: Any = make_functional(program).module(check_guards=False)
    for node in [node for node in module.graph.nodes if node.name in names]:
        value, sizes = node.args[0], node.args[0].meta["val"].shape
        others = {key: kept for key, kept in node.meta.items() if key != "val"}
        for axis in (2, 3):
            index = _index(node, int(sizes[axis]), axis)
            name = f"{node.name}_{axis}"
            module.register_buffer(name, index)
            with module.graph.inserting_before(node):
                value = module.graph.call_function(
                    aten.index_select.default, (value, axis, module.graph.get_attr(name))
                )
            value.meta = dict(others)
        value.meta = dict(node.meta)
        node.replace_all_uses_with(value)
        module.graph.erase_node(node)
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), len(names)


def _is_broken(node: Node) -> bool:
    """Whole factors repeat every pixel, in whichever way its middle is meant."""
    if node.op != "call_function" or str(node.target) not in _RESIZING:
        return False
    source: Any = node.args[0]
    value = source.meta["val"]
    return value.ndim == 4 and find_factors(value, list(node.meta["val"].shape[2:]), None) is None


def _index(node: Node, length: int, axis: int) -> Any:
    """The rows or columns that torch itself reads, found by having it resize their numbers."""
    import torch

    size = [1, 1]
    size[axis - 2] = int(node.meta["val"].shape[axis])
    numbers = torch.arange(length, dtype=torch.float32).reshape([1, 1, length, 1] if axis == 2 else [1, 1, 1, length])
    arguments: list[Any] = list(node.args[1:])
    scales = next((value for value in arguments[1:] if value is not None), None)
    own = None if scales is None else scales[axis - 2] if isinstance(scales, list | tuple) else arguments[axis - 1]
    target: Any = (
        torch.ops.aten._upsample_nearest_exact2d if "exact" in str(node.target) else torch.ops.aten.upsample_nearest2d
    )
    pair = [None, None]
    pair[axis - 2] = own
    return target.default(numbers, size, *pair).reshape(-1).to(torch.int64)
