"""Blocks under `torch.autocast`, which an exported program keeps as operators of their own: what they compute stands in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram

BOUND = MOVES_DATA
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
# Of higher order: their arguments are a part of the network and what it takes.
_WRAPPERS = ("wrap_with_autocast", "wrap_with_set_grad_enabled")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    count = sum(str(node.target) in _WRAPPERS for node in program.graph.nodes)
    # The casts that an enabled one makes come to light; `half_precision` widens them as it does those that are written.
    return (make_functional(program), count) if count else (program, 0)
