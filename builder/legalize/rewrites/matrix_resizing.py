"""Bicubic and antialiased resizing as products with two stored matrices, one for rows and one for columns.

Both are linear in the picture and do height and width apart; no backend has all of them as operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, make_functional

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = ARITHMETIC
NEEDED_BY = ("xnnpack", "gpu", "mil")
_RESIZING = (
    "aten.upsample_bicubic2d.vec",
    "aten.upsample_bicubic2d.default",
    "aten._upsample_bicubic2d_aa.vec",
    "aten._upsample_bicubic2d_aa.default",
    "aten._upsample_bilinear2d_aa.vec",
    "aten._upsample_bilinear2d_aa.default",
)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    names = {node.name for node in program.graph.nodes if node.op == "call_function" and str(node.target) in _RESIZING}
    if not names:
        return program, 0
    aten = torch.ops.aten
    module: Any = make_functional(program).module(check_guards=False)
    for node in [node for node in module.graph.nodes if node.name in names]:
        graph, value = module.graph, node.args[0]
        meta = {key: kept for key, kept in node.meta.items() if key != "val"}
        for axis in (3, 2):
            name = f"{node.name}_matrix_{axis}"
            module.register_buffer(name, _matrix(node, axis))
            with graph.inserting_before(node):
                turned = value if axis == 3 else graph.call_function(aten.transpose.int, (value, 2, 3))
                product = graph.call_function(aten.linear.default, (turned, graph.get_attr(name)))
                value = product if axis == 3 else graph.call_function(aten.transpose.int, (product, 2, 3))
            for made in (turned, product, value):
                made.meta = made.meta or dict(meta)
        value.meta = dict(node.meta)
        node.replace_all_uses_with(value)
        graph.erase_node(node)
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), len(names)


def _matrix(node: Node, axis: int) -> Tensor:
    """(size after, size before): torch itself resizes the unit vectors along one axis and leaves the other as it is."""
    import torch

    source: Any = node.args[0]
    before, after = int(source.meta["val"].shape[axis]), int(node.meta["val"].shape[axis])
    corners = bool(node.args[2])
    scales = _scales(node)
    kind = str(node.target).split(".")[1]
    target: Any = getattr(torch.ops.aten, kind).default
    rows = torch.eye(before).reshape(1, 1, before, before)  # each column is a unit vector along the height
    made: Tensor = target(rows, [after, before], corners, scales[axis - 2], None)
    return made.reshape(after, before).contiguous()


def _scales(node: Node) -> tuple[float | None, float | None]:
    """Of height and width where the network states them: torch then computes places by these, not by the sizes."""
    rest: Any = node.args[3:]
    if str(node.target).endswith(".vec"):
        stated = rest[0] if rest else None
        return (None, None) if stated is None else (stated[0], stated[1])
    return ((*rest, None, None)[0], (*rest, None, None)[1])
