"""Small rewrites of the exported program where coremltools' export front end stops, or silently computes something else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

_ALIASES = (
    "aten.alias.default",
    "aten.alias_copy.default",
    "aten.detach.default",
    "aten.lift_fresh_copy.default",
)


def for_coremltools(program: ExportedProgram) -> ExportedProgram:
    """A functional copy that computes the same and that coremltools 9.0 converts faithfully."""
    functional: ExportedProgram = program.run_decompositions(_choose_decompositions(program))
    for node in list(functional.graph.nodes):
        target = str(node.target) if node.op == "call_function" else ""
        if target in _ALIASES:
            _drop_alias(functional, node)
        elif target == "aten.reciprocal.default":
            _divide_one(functional, node)
        elif _axes(node) is not None and _axes(node.args[0]) is not None:
            _turn_once(functional, node)
    functional.graph_module.recompile()
    return functional


def _choose_decompositions(program: ExportedProgram) -> dict[Any, Callable[..., Any]]:
    """What the front end does not know, by torch's own decompositions; and GELU with approximate="tanh": it overlooks the keyword and
    would make the exact form of it."""
    import torch
    from torch._decomp import core_aten_decompositions

    targets = {node.target for node in program.graph.nodes if isinstance(node.target, torch._ops.OpOverload)}
    known = core_aten_decompositions()  # others end in operators that are still stranger
    table: dict[Any, Callable[..., Any]] = {
        target: known[target]
        for target in targets
        if target in known and str(target) not in _ALIASES and not _knows(target._schema.name.split("::")[-1])
    }
    if any(node.kwargs.get("approximate") == "tanh" for node in program.graph.nodes):
        table[torch.ops.aten.gelu.default] = _gelu
    for target in targets & {torch.ops.aten.fmod.Tensor, torch.ops.aten.fmod.Scalar}:
        table[target] = _fmod
    rounded = (torch.ops.aten.remainder, torch.ops.aten.floor_divide)
    for target in [target for target in targets if getattr(target, "overloadpacket", None) in rounded]:
        table[target] = _remainder if "remainder" in str(target) else _divide_floored
    for target in targets & {torch.ops.aten.div.Tensor_mode, torch.ops.aten.div.Scalar_mode}:
        table[target] = _divide
    for target in targets & {torch.ops.aten.lerp.Tensor, torch.ops.aten.lerp.Scalar}:
        table[target] = _lerp
    for target in targets & {torch.ops.aten.sum.default, torch.ops.aten.mean.default}:
        table[target] = _sum_all if target is torch.ops.aten.sum.default else _average_all
    # Not only where the program has them: torch makes them of `hardshrink`, `diag_embed` and `pairwise_distance` on the way.
    table[torch.ops.aten.norm.ScalarOpt_dim] = _norm
    table |= dict.fromkeys((torch.ops.aten.where.ScalarOther, torch.ops.aten.where.ScalarSelf), _where)
    if torch.ops.aten.trunc.default in targets:
        table[torch.ops.aten.trunc.default] = _trunc
    return table


def _knows(name: str) -> bool:
    """Whether coremltools' front end has this operator."""
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    return _TORCH_OPS_REGISTRY.get_func(name) is not None


def _sum_all(x: Tensor, *, dtype: Any = None) -> Tensor:
    """By all axes by number: a pass of coremltools that moves transposes reads them, and stops where there are none."""
    return x.sum(list(range(x.ndim)), dtype=dtype)


def _average_all(x: Tensor, *, dtype: Any = None) -> Tensor:
    return x.mean(list(range(x.ndim)), dtype=dtype)


def _norm(x: Tensor, p: float | None, dim: list[int], keepdim: bool = False) -> Tensor:
    """The older name."""
    import torch

    norm: Tensor = torch.linalg.vector_norm(x, 2 if p is None else p, dim, keepdim)
    return norm


def _where(condition: Tensor, x: Any, y: Any) -> Tensor:
    """The front end chooses between tensors only."""
    import torch

    if not isinstance(x, torch.Tensor):
        x = torch.full((), x, dtype=y.dtype)
    if not isinstance(y, torch.Tensor):
        y = torch.full((), y, dtype=x.dtype)
    return torch.where(condition, x, y)


def _trunc(x: Tensor) -> Tensor:
    """Towards zero."""
    return x.sign() * x.abs().floor()


def _fmod(x: Tensor, y: Tensor | float) -> Tensor:
    """The remainder of a division towards zero, as C has it."""
    return x - _trunc(x / y) * y


def _remainder(x: Tensor | float, y: Tensor | float) -> Any:
    """coremltools takes a floor division by 1 for one that does nothing, of fractions too."""
    return x - _divide_floored(x, y) * y if _is_float(x) or _is_float(y) else NotImplemented


def _divide_floored(x: Tensor | float, y: Tensor | float) -> Any:
    import torch

    return torch.floor(x / y) if _is_float(x) or _is_float(y) else NotImplemented  # type: ignore[arg-type]


def _divide(x: Tensor, y: Tensor | float, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "trunc" and (_is_float(x) or _is_float(y)):
        return _trunc(x / y)
    return _divide_floored(x, y) if rounding_mode == "floor" else x / y if rounding_mode is None else NotImplemented


def _is_float(value: Any) -> bool:
    return value.is_floating_point() if hasattr(value, "is_floating_point") else isinstance(value, float)


def _lerp(x: Tensor, y: Tensor, weight: Tensor | float) -> Tensor:
    """torch's own form chooses between two by the weight, which the front end cannot do for a number."""
    return x + weight * (y - x)


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Hendrycks & Gimpel, "Gaussian Error Linear Units": x P(X <= x), and its approximation by tanh."""
    import torch

    if approximate == "none":
        return 0.5 * x * (1 + torch.erf(x * math.sqrt(0.5)))
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _drop_alias(program: ExportedProgram, node: Node) -> None:
    """The node copies nothing, and the front end does not know it."""
    source = node.all_input_nodes[0]
    node.replace_all_uses_with(source)
    program.graph_signature.replace_all_uses(node.name, source.name)
    program.graph.erase_node(node)


def _axes(node: Any) -> list[int] | None:
    """The order of axes that a transposition gives, None for any other operator."""
    target = str(node.target)
    if target not in ("aten.transpose.int", "aten.permute.default"):
        return None
    rank = node.meta["val"].ndim
    axes = list(range(rank))
    if target == "aten.permute.default":
        return [axis % rank for axis in node.args[1]]
    one, other = (axis % rank for axis in node.args[1:3])
    axes[one], axes[other] = axes[other], axes[one]
    return axes


def _turn_once(program: ExportedProgram, node: Node) -> None:
    """A transposition of a transposition: MIL's pass that takes them into a matrix product loses the second."""
    import torch

    inner: Any = node.args[0]
    outer_axes, inner_axes = _axes(node) or [], _axes(inner) or []
    axes = [inner_axes[axis] for axis in outer_axes]
    source = inner.args[0]
    if axes != sorted(axes):
        with program.graph.inserting_before(node):
            source = program.graph.call_function(torch.ops.aten.permute.default, (inner.args[0], axes))
        source.meta = dict(node.meta)
    node.replace_all_uses_with(source)
    program.graph_signature.replace_all_uses(node.name, source.name)
    program.graph.erase_node(node)


def _divide_one(program: ExportedProgram, node: Node) -> None:
    """The front end makes 1 / (x + 1e-4) of a reciprocal: MIL's `inverse` with its default epsilon."""
    import torch

    with program.graph.inserting_before(node):
        quotient = program.graph.call_function(torch.ops.aten.div.Tensor, (1.0, node.args[0]))
    quotient.meta = dict(node.meta)
    node.replace_all_uses_with(quotient)
    program.graph_signature.replace_all_uses(node.name, quotient.name)
    program.graph.erase_node(node)
