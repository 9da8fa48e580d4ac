"""What a rewrite is, and the way most of them work: named operators replaced by functions of other operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Inputs = tuple[Tensor, ...]

# Bound of a rewrite that only moves values: nothing but the order of a later sum may differ.
MOVES_DATA = 1e-6
# xnn_define_concatenate5.
WIDEST = 5
_NORM = "aten._native_batch_norm_legit_no_training.default"
# Bound of a rewrite that sums in another order: float32 rounding, amplified by the norms that follow.
ARITHMETIC = 1e-4


class Rewrite(Protocol):
    """A module of `builder.legalize.rewrites`.

    One that a delegate may leave operators for can have `CURES`: by the bare name of such an operator, the operator of the source
    that it comes from and what would help.
    """

    @property
    def NEEDED_BY(self) -> tuple[str, ...]:
        """Traits of the delegates that do not take what it replaces, and that it was measured to help."""

    @property
    def BOUND(self) -> float:
        """Largest change of an output, relative to its range, that the rewrite may make."""

    def apply(self, program: ExportedProgram, samples: Sequence[Inputs]) -> tuple[ExportedProgram, int]:
        """The rewritten program and how many places were rewritten; the program itself where there is none.

        `samples` are inputs of the kind that the network will see. Parameters keep their names.
        """


def join(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Concatenation by steps of at most five tensors: XNNPACK has no wider one."""
    import torch

    while len(parts) > WIDEST:
        groups = [parts[start : start + WIDEST] for start in range(0, len(parts), WIDEST)]
        parts = [group[0] if len(group) == 1 else torch.cat(list(group), dim=axis) for group in groups]
    return torch.cat(list(parts), dim=axis)


def replace_calls(
    program: ExportedProgram, functions: Mapping[str, Callable[..., Any]], only: Callable[[Any], bool] | None = None
) -> tuple[ExportedProgram, int]:
    """Every call of the operators (`aten.group_norm.default`) replaced by what the function of that name does.

    A function takes the operator's arguments and may return NotImplemented to leave a call as it is. `only` chooses nodes
    beforehand: nothing is done where it takes none. The graph keeps the source lines of what it replaces.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function" and str(node.target) in functions]
    if not any(only is None or only(node) for node in nodes):
        return program, 0
    count = 0

    def replace_and_count(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            result = function(*args, **kwargs)
            count += result is not NotImplemented
            return result

        return call

    # All of them, found or not: torch itself makes `split_with_sizes` of `chunk` on the way.
    table = {_operator(name): replace_and_count(function) for name, function in functions.items()}
    rewritten = make_functional(program, table)
    if not count:
        return program, 0
    left = sum(1 for node in rewritten.graph.nodes if node.op == "call_function" and node.target in table)
    return rewritten, max(len(nodes) - left, 1)


def reads_places(program: ExportedProgram, name: str) -> bool:
    """Whether the second result of an operator is read, the places of its values: among equal ones each runtime has its own order."""
    calls = [node for node in program.graph.nodes if str(node.target) == name]
    return any(user.args[1] == 1 and user.users for node in calls for user in node.users)


def make_functional(program: ExportedProgram, table: dict[Any, Any] | None = None) -> ExportedProgram:
    """A copy of the program without writes, operators of `table` decomposed.

    What was written into an input or a buffer is no output of it. Batch norms stay what they are.
    """
    import torch

    _ask_nothing_of_memory(program)
    with torch.no_grad():
        return _tidy(program.run_decompositions(table or {}))


def _ask_nothing_of_memory(program: ExportedProgram) -> None:
    """Views become the reshapes that they were: what is replaced before them may put its values down in another order."""
    import torch

    views = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)
    for node in program.graph.nodes:
        if node.target in views:
            node.target = torch.ops.aten.reshape.default
    program.graph_module.recompile()


def _tidy(program: ExportedProgram) -> ExportedProgram:
    _restore_norms(program)
    _drop_mutated(program)
    return program


def _restore_norms(program: ExportedProgram) -> None:
    """torch makes three results of a batch norm when it takes writes away; one is read."""
    import torch

    graph = program.graph
    for node in [node for node in graph.nodes if str(node.target) == _NORM]:
        x, weight, bias, mean, variance, momentum, eps = node.args
        first = next((user for user in node.users if user.args[1] == 0), None)
        if first is None:
            continue
        with graph.inserting_before(first):
            arguments = (x, weight, bias, mean, variance, False, momentum, eps, False)
            norm = graph.call_function(torch.ops.aten.batch_norm.default, arguments)
        norm.meta = {**node.meta, "val": first.meta["val"]}
        first.replace_all_uses_with(norm)
        program.graph_signature.replace_all_uses(first.name, norm.name)
    graph.eliminate_dead_code()
    program.graph_module.recompile()


def _drop_mutated(program: ExportedProgram) -> None:
    """What a forward leaves behind in its inputs and buffers is no result."""
    from torch.export.graph_signature import OutputKind

    specs = program.graph_signature.output_specs
    kept = [number for number, spec in enumerate(specs) if spec.kind is OutputKind.USER_OUTPUT]
    if len(kept) == len(specs):
        return
    output = next(node for node in program.graph.nodes if node.op == "output")
    results: Any = output.args[0]
    output.args = (tuple(results[number] for number in kept),)
    program.graph_signature.output_specs = [specs[number] for number in kept]
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


def _operator(name: str) -> Any:
    """`torch.ops.aten.pad.default` of "aten.pad.default"."""
    import torch

    operator: Any = torch.ops
    for part in name.split("."):
        operator = getattr(operator, part)
    return operator
