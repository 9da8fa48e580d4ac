"""Zero padding that only a convolution reads becomes the convolution's own padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack", "gpu")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    pairs = [
        (node, pads)
        for node in program.graph.nodes
        if node.op == "call_function" and str(node.target) == "aten.conv2d.default" and (pads := _mergeable(node))
    ]
    if not pairs:
        return program, 0
    program = program.run_decompositions({})  # a copy: the graph is edited in place
    by_name = {node.name: node for node in program.graph.nodes}
    for original, (height, width) in pairs:
        conv = by_name[original.name]
        pad: Any = conv.args[0]
        arguments = [*conv.args, *((None, [1, 1], [0, 0])[len(conv.args) - 2 :])]
        before = _both(arguments[4])
        arguments[0], arguments[4] = pad.args[0], [before[0] + height, before[1] + width]
        conv.args = tuple(arguments)
        program.graph.erase_node(pad)
    program.graph_module.recompile()
    return program, len(pairs)


def _mergeable(conv: Node) -> tuple[int, int] | None:
    """Rows and columns of zeros on each side of what a convolution reads, or None."""
    pad: Any = conv.args[0]
    if pad.op != "call_function" or len(pad.users) != 1:
        return None
    if str(pad.target) == "aten.pad.default":
        mode = pad.args[2] if len(pad.args) > 2 else "constant"
        value = pad.args[3] if len(pad.args) > 3 else None
    elif str(pad.target) == "aten.constant_pad_nd.default":
        mode, value = "constant", pad.args[2] if len(pad.args) > 2 else None
    else:
        return None
    widths = list(pad.args[1])
    if mode != "constant" or value or len(widths) != 4 or min(widths) < 0:
        return None
    left, right, top, bottom = widths
    return (top, left) if left == right and top == bottom else None


def _both(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])
