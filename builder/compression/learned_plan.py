"""What `qat` learned as a plan: the ranges of all layers, for a network of floats with the same layers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from builder.precision.layers import list_layers
from builder.precision.quantizers import Grid, has_quantizers, read_trained_integers
from builder.precision.stated import SCHEME, find_ends

if TYPE_CHECKING:
    from torch.export import ExportedProgram

PLAN = "plan.toml"
HEAD = (
    "# The ranges that 'builder compress' learned. model.pt2 has them already; this plan gives them to a network of floats with\n"
    "# the same layers, such as the trained one.\n"
)


def to_plan(program: ExportedProgram) -> str | None:
    """plan.toml, or None for a program without quantizers. A layer of several calls has the range of those that agree."""
    if not has_quantizers(program):
        return None
    table = list_layers(program)
    by_weight = {layer.weight: layer.name for layer in table.layers}
    integers = {by_weight[key]: calls for key, calls in read_trained_integers(program, by_weight).items()}
    lines = [HEAD, "[[rule]]", 'match = ".*"', f'scheme = "{SCHEME}"']
    for name in table.names():
        if name not in integers:
            lines += ["", "[[rule]]", f"match = {json.dumps(re.escape(name))}", 'scheme = "fp32"']
    for name, calls in integers.items():
        for side in ("input", "output"):
            grids = {call.inputs if side == "input" else call.outputs for call in calls}
            grid = grids.pop()
            if not grids and grid is not None:
                lines += _range(name, side, grid)
    return "\n".join([*lines, ""])


def _range(name: str, side: str, grid: Grid) -> list[str]:
    low, high = find_ends(grid)
    return ["", "[[range]]", f"layer = {json.dumps(name)}", f'of = "{side}"', f"low = {low!r}", f"high = {high!r}"]
