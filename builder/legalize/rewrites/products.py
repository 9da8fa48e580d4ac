"""Products with a stored matrix as linear layers, and cells of recurrent networks as the linear layers that they are made of.

`x @ W` and `einsum` with a parameter are layers like `Linear`: with a scheme, with their multiplications counted, and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import ARITHMETIC, make_functional, replace_calls
from builder.precision.program import find_keys_of_stored

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = ARITHMETIC
NEEDED_BY: tuple[str, ...] = ()  # made at the source, for all
_PRODUCTS = ("aten.matmul.default", "aten.mm.default", "aten.bmm.default", "aten.addmm.default")


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    cells: dict[str, Callable[..., Any]] = {"aten.gru_cell.default": _gru_cell, "aten.lstm_cell.default": _lstm_cell}
    program, count = replace_calls(program, cells)
    program, weighed = replace_calls(
        program,
        {"aten.addmm.default": _add_weighed, "aten.baddbmm.default": _add_weighed},
        only=lambda node: bool(node.kwargs),
    )
    program, sums = replace_calls(
        program, {"aten.einsum.default": _einsum}, only=lambda node: _has_stored_operand(program, node)
    )
    count += weighed + sums
    if not any(_is_layer(program, node) for node in program.graph.nodes):
        return program, count
    program = make_functional(program)  # a copy: the graph is edited in place
    for node in list(program.graph.nodes):
        if _is_layer(program, node):
            _make_linear(program, node)
            count += 1
    program.graph_module.recompile()
    return program, count


def _add_weighed(bias: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * bias + alpha * x @ y`: the product alone is a layer's."""
    import torch

    if alpha == beta == 1:
        return NotImplemented
    product = torch.matmul(x, y)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (bias if beta == 1 else bias * beta)


def _is_stored(program: ExportedProgram, node: Any) -> bool:
    """Whether a value is a parameter, or one that is only turned round."""
    while getattr(node, "op", "") == "call_function" and len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
    return getattr(node, "name", "") in find_keys_of_stored(program)


def _has_stored_operand(program: ExportedProgram, node: Node) -> bool:
    operands: Any = node.args[1] if len(node.args) > 1 else ()
    return len(operands) == 2 and any(_is_stored(program, operand) for operand in operands)


def _is_layer(program: ExportedProgram, node: Node) -> bool:
    """A product with one stored matrix."""
    if node.op != "call_function" or str(node.target) not in _PRODUCTS or node.kwargs:
        return False
    factors: Any = node.args[-2:]
    stored = [factor for factor in factors if _is_stored(program, factor)]
    if len(stored) != 1 or not _is_matrix(stored[0]):
        return False
    computed = factors[0] if stored[0] is factors[1] else factors[1]
    return computed.meta["val"].ndim >= 2 and ("addmm" not in str(node.target) or stored[0] is factors[1])


def _is_matrix(node: Any) -> bool:
    shape = node.meta["val"].shape
    return len(shape) == 2 or (len(shape) == 3 and shape[0] == 1)


def _make_linear(program: ExportedProgram, node: Node) -> None:
    """`x @ W` is `linear(x, W.T)`, `W @ x` is `linear(x.T, W).T`; a matrix turned round is folded into a weight of its own later."""
    import torch

    aten, graph = torch.ops.aten, program.graph
    factors: Any = node.args[-2:]
    bias = (node.args[0],) if "addmm" in str(node.target) else ()
    before = not _is_stored(program, factors[1])

    def call(target: Any, source: Any, *rest: Any) -> Any:
        made = graph.call_function(target, (source, *rest))
        made.meta = {
            **node.meta,
            "val": target(source.meta["val"], *[getattr(r, "meta", {}).get("val", r) for r in rest]),
        }
        return made

    with graph.inserting_before(node):
        matrix = factors[0] if before else factors[1]
        x = call(aten.transpose.int, factors[1], -2, -1) if before else factors[0]
        if matrix.meta["val"].ndim == 3:
            matrix = call(aten.squeeze.dim, matrix, 0)
        weight = matrix if before else call(aten.permute.default, matrix, [1, 0])
        layer = call(aten.linear.default, x, weight, *bias)
        layer = call(aten.transpose.int, layer, -2, -1) if before else layer
    node.replace_all_uses_with(layer)
    program.graph_signature.replace_all_uses(node.name, layer.name)
    graph.erase_node(node)


def _einsum(equation: str, operands: Sequence[Tensor], *, path: Any = None) -> Any:
    """Two factors that share the axes that are summed, and no other: a product of two matrices.

    The shared axes of the first become its last, those of the second its first.
    """
    text = equation.replace(" ", "")
    if "..." in text or "->" not in text or len(operands) != 2:
        return NotImplemented
    inputs, wanted = text.split("->")
    first, second = inputs.split(",")
    if operands[0].ndim == 2 < operands[1].ndim:  # a matrix comes second
        first, second, operands = second, first, operands[::-1]
    summed = [axis for axis in first if axis in second]
    mixed = any(axis in wanted for axis in summed) or len(set(first)) < len(first) or len(set(second)) < len(second)
    free = [axis for axis in first + second if axis not in summed]
    if not summed or mixed or sorted(free) != sorted(wanted):
        return NotImplemented
    x, y = operands
    left, right = [a for a in first if a not in summed], [a for a in second if a not in summed]
    sizes = dict(zip(first, x.shape, strict=True)) | dict(zip(second, y.shape, strict=True))
    x = x.permute([first.index(a) for a in left + summed]).reshape(*[sizes[a] for a in left], -1)
    y = y.permute([second.index(a) for a in summed + right]).reshape(x.shape[-1], -1)
    product = (x.reshape(-1, x.shape[-1]) @ y) if not left else x @ y
    product = product.reshape([sizes[a] for a in left + right])
    return product.permute([(left + right).index(a) for a in wanted])


def _gru_cell(
    x: Tensor, hidden: Tensor, w_in: Tensor, w_hidden: Tensor, b_in: Any = None, b_hidden: Any = None
) -> Tensor:
    """Cho et al. 2014, with the reset gate inside the candidate's product as torch has it."""
    import torch
    from torch.nn.functional import linear

    reset, update, new = linear(x, w_in, b_in).chunk(3, 1)
    old_reset, old_update, old_new = linear(hidden, w_hidden, b_hidden).chunk(3, 1)
    gate = torch.sigmoid(update + old_update)
    candidate = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
    return candidate + gate * (hidden - candidate)


def _lstm_cell(
    x: Tensor, state: Sequence[Tensor], w_in: Tensor, w_hidden: Tensor, b_in: Any = None, b_hidden: Any = None
) -> Any:
    """Hochreiter & Schmidhuber 1997."""
    import torch
    from torch.nn.functional import linear

    hidden, cell = state
    gates = linear(x, w_in, b_in) + linear(hidden, w_hidden, b_hidden)
    into, forget, new, out = gates.chunk(4, 1)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
    return torch.sigmoid(out) * torch.tanh(cell), cell
