"""Norms whose sums of squares fp16 cannot hold read their input scaled down by a power of two.

A norm does not see the scale of what it reads: norm(x, eps) = norm(s x, s^2 eps). With s a power of two that is exact, but for
eps, which is kept at the smallest number of fp16 so that a channel that is constant divides by something.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewrites.statistics import LARGEST_BLOCK
from builder.legalize.rewriting import ARITHMETIC

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = ARITHMETIC
NEEDED_BY = ("half",)
# The largest finite number of fp16.
HALF_MAX = 65504.0
# Half of the range is kept free: samples are not all pictures there are.
LIMIT = HALF_MAX / 2
# The smallest number of fp16 above 0.
LEAST_EPS = 2.0**-24
# Of torch, for all three.
DEFAULT_EPS = 1e-5
_EPS = {"aten.instance_norm.default": 7, "aten.group_norm.default": 4, "aten.layer_norm.default": 4}  # argument number


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    if not any(str(node.target) in _EPS for node in program.graph.nodes):
        return program, 0
    factors = {
        name: _factor(largest) for name, largest in _measure_largest_sums(program, samples).items() if largest > LIMIT
    }
    if not factors:
        return program, 0
    program = program.run_decompositions({})  # a copy: the graph is edited in place
    for node in list(program.graph.nodes):
        if node.name not in factors:
            continue
        factor, source, place = factors[node.name], node.args[0], _EPS[str(node.target)]
        with program.graph.inserting_before(node):
            scaled = program.graph.call_function(torch.ops.aten.mul.Tensor, (source, factor))
        scaled.meta = {**node.meta, "val": source.meta["val"]}
        arguments = [*node.args]
        if len(arguments) <= place:  # weight, bias and eps that are torch's defaults are not written down
            arguments += (None, None, DEFAULT_EPS)[len(arguments) - 2 :]
        arguments[0], arguments[place] = scaled, max(arguments[place] * factor**2, LEAST_EPS)
        node.args = tuple(arguments)
    program.graph_module.recompile()
    return program, len(factors)


def _measure_largest_sums(program: ExportedProgram, samples: Sequence[Any]) -> dict[str, float]:
    """By norm, the largest sum of squares that a delegate may form for it on these samples."""
    import torch

    largest: dict[str, float] = {}

    class Watching(torch.fx.Interpreter):
        def run_node(self, node: Node) -> Any:
            if str(node.target) in _EPS:
                values: Any = self.map_nodes_to_values(node.args[0], node)
                largest[node.name] = max(largest.get(node.name, 0.0), _measure_largest_sum(values, node))
            return super().run_node(node)

    watching = Watching(program.module(check_guards=False))
    with torch.no_grad():
        for inputs in samples:
            watching.run(*inputs)
    return largest


def _measure_largest_sum(x: Tensor, node: Node) -> float:
    """Of the squared distances from the mean: over the axes of a layer norm, and at most over one block of a picture (`average_space`)."""
    if "layer_norm" in str(node.target):
        axes = tuple(range(-len(node.args[1]), 0))  # type: ignore[arg-type]
        return float((x - x.mean(axes, keepdim=True)).square().sum(axes).max())
    groups = x.shape[1] if "instance_norm" in str(node.target) else int(node.args[1])  # type: ignore[arg-type]
    rows = x.reshape(x.shape[0], groups, -1)
    squares = (rows - rows.mean(2, keepdim=True)).square()
    return float(squares.max()) * min(LARGEST_BLOCK**2, squares.shape[2])


def _factor(largest: float) -> float:
    """The largest power of two that brings sums of squares down to the limit."""
    return 2.0 ** -math.ceil(math.log2(math.sqrt(largest / LIMIT)))
