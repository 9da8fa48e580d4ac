"""What a rewrite is, and the way most of them work: named operators replaced by functions of other operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]

MOVES_DATA = 1e-6  # bound of a rewrite that only moves values: nothing but the order of a later sum may differ
WIDEST = 5  # xnn_define_concatenate5
ARITHMETIC = 1e-4  # bound of a rewrite that sums in another order: float32 rounding, amplified by the norms that follow


class Rewrite(Protocol):
    """A module of `builder.legalize`."""

    @property
    def BOUND(self) -> float:
        """Largest change of an output, relative to its range, that the rewrite may make."""

    def apply(self, program: ExportedProgram, samples: Sequence[Inputs]) -> tuple[ExportedProgram, int]:
        """The rewritten program and how many places were rewritten; the program itself where there is none.

        `samples` are inputs of the kind that the network will see. Parameters keep their names.
        """


def joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Concatenation by steps of at most five tensors: XNNPACK has no wider one."""
    import torch

    while len(parts) > WIDEST:
        groups = [parts[start : start + WIDEST] for start in range(0, len(parts), WIDEST)]
        parts = [group[0] if len(group) == 1 else torch.cat(list(group), dim=axis) for group in groups]
    return torch.cat(list(parts), dim=axis)


def replaced(
    program: ExportedProgram, functions: Mapping[str, Callable[..., Any]], only: Callable[[Any], bool] | None = None
) -> tuple[ExportedProgram, int]:
    """Every call of the operators (`aten.group_norm.default`) replaced by what the function of that name does.

    A function takes the operator's arguments and may return NotImplemented to leave a call as it is. `only` chooses nodes
    beforehand: nothing is done where it takes none. The graph keeps the source lines of what it replaces.
    """
    import torch

    found = [node for node in program.graph.nodes if node.op == "call_function" and str(node.target) in functions]
    if not any(only is None or only(node) for node in found):
        return program, 0
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            result = function(*args, **kwargs)
            count += result is not NotImplemented
            return result

        return call

    # All of them, found or not: torch itself makes `split_with_sizes` of `chunk` on the way.
    table = {_operator(name): counted(function) for name, function in functions.items()}
    with torch.no_grad():
        rewritten: ExportedProgram = program.run_decompositions(table)
    if not count:
        return program, 0
    left = sum(1 for node in rewritten.graph.nodes if node.op == "call_function" and node.target in table)
    return rewritten, max(len(found) - left, 1)


def _operator(name: str) -> Any:
    """`torch.ops.aten.pad.default` of "aten.pad.default"."""
    import torch

    found: Any = torch.ops
    for part in name.split("."):
        found = getattr(found, part)
    return found
