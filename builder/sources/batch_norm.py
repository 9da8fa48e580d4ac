"""Batch norm after a convolution or linear layer becomes part of its weights, so that a plan's layers are those of the file.

In inference a batch norm is y = (x - mean) / sqrt(var + eps) * gamma + beta, a scale and shift by output channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.graph.equality import (
    compute_outputs,
    compute_outputs_in_double,
    make_random_inputs,
    measure_largest_change,
)

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

# Largest difference of the folded network's output, relative to the output's range, on random inputs: float32 rounding.
BOUND = 1e-4
# Of what float32 rounding moves this network by: weights are rounded once more.
SLACK = 8.0
# One unit in the last place of float32: inputs that differ by it are the same to a network.
LAST_BIT = 2.0**-23

_CHANNEL_AXIS = {"aten.conv2d.default": 0, "aten.linear.default": 0, "aten.conv_transpose2d.input": 1}


def fold_batch_norms(program: ExportedProgram) -> ExportedProgram:
    """The program with every foldable batch norm folded, proven equal on a random input; unchanged where there is none.

    Raises SourceError for a batch norm in training mode and when the folded program differs by more than BOUND.
    """
    import torch

    norms = [
        node
        for node in program.graph.nodes
        if node.op == "call_function" and str(node.target) == "aten.batch_norm.default"
    ]
    if not norms:
        return program
    for node in norms:
        if node.args[5]:
            raise SourceError(f"batch norm {node.name!r} is in training mode; call model.eval() before exporting.")
    module = program.module()
    folded = 0
    for node in list(module.graph.nodes):
        if node.op == "call_function" and str(node.target) == "aten.batch_norm.default" and _fold(module, node):
            folded += 1
    if not folded:
        return program
    module.graph.eliminate_dead_code()
    module.recompile()
    inputs = make_random_inputs(program)
    rewritten = torch.export.export(module, inputs)
    _prove_equal(program, rewritten, inputs)
    return rewritten


def _prove_equal(before: ExportedProgram, after: ExportedProgram, inputs: tuple[torch.Tensor, ...]) -> None:
    """Raises SourceError where the folded network's output moves by more than BOUND, and by more than float32 itself moves it."""
    old, new = compute_outputs(before, inputs), compute_outputs(after, inputs)
    error = measure_largest_change(old, new)
    if error <= BOUND:
        return
    exact = compute_outputs_in_double(before, inputs)
    noise = max(measure_largest_change(exact, old), measure_largest_change(compute_outputs(before, _move(inputs)), old))
    moved = measure_largest_change(exact, compute_outputs_in_double(after, inputs))
    if not all(bool(value.isfinite().all()) for value in old):
        raise SourceError("the model gives NaN or infinite values on noise; take an earlier checkpoint.")
    if not max(moved, error) <= SLACK * noise:
        raise SourceError(
            f"folding the batch norms moves the output by {error:.2g} of its range, where float32 itself moves it by {noise:.2g}: the model "
            "computes something else each time it is called, or its variances are not usable; look for randomness in forward."
        )


def _move(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Inputs changed by about the last bit of a float32."""
    return tuple(value * (1 + LAST_BIT) if value.is_floating_point() else value for value in inputs)


def _fold(module: GraphModule, norm: Node) -> bool:
    """Fold one norm into the layer before it; False where the layer's result is used elsewhere or its weights are shared."""
    import torch

    layer: Any = norm.args[0]
    if not hasattr(layer, "users") or len(layer.users) != 1 or str(layer.target) not in _CHANNEL_AXIS:
        return False
    weight_node: Any = layer.args[1]
    if weight_node.op != "get_attr" or len(weight_node.users) != 1:
        return False
    if str(layer.target) == "aten.conv_transpose2d.input" and len(layer.args) > 6 and layer.args[6] != 1:
        return False  # grouped transposed convolutions order their channels by group
    bias_node: Any = layer.args[2] if len(layer.args) > 2 else None
    if bias_node is not None and len(bias_node.users) != 1:
        return False
    norm_args: tuple[Any, ...] = norm.args
    if any(node is not None and node.op != "get_attr" for node in norm_args[1:3]):
        return False  # a scale or shift that the network computes, by a style
    gamma, beta = (None if node is None else _value(module, node) for node in norm_args[1:3])
    mean, variance = _value(module, norm_args[3]), _value(module, norm_args[4])
    eps = float(norm_args[7])
    weight = _value(module, weight_node)
    scale = torch.rsqrt(variance.double() + eps) * (1.0 if gamma is None else gamma.double())
    shape = [1] * weight.ndim
    shape[_CHANNEL_AXIS[str(layer.target)]] = -1
    before = torch.zeros_like(mean) if bias_node is None else _value(module, bias_node)
    shift = (before.double() - mean.double()) * scale + (0.0 if beta is None else beta.double())
    _set(module, str(weight_node.target), (weight.double() * scale.reshape(shape)).to(weight.dtype))
    bias_name = (
        str(weight_node.target).removesuffix(".weight") + ".bias" if bias_node is None else str(bias_node.target)
    )
    _set(module, bias_name, shift.to(weight.dtype))
    if bias_node is None:
        with module.graph.inserting_before(layer):
            bias_node = module.graph.get_attr(bias_name)
        layer.args = (*layer.args[:2], bias_node, *layer.args[3:])
    norm.replace_all_uses_with(layer)
    module.graph.erase_node(norm)
    return True


def _value(module: GraphModule, node: Node) -> torch.Tensor:
    owner, _, name = str(node.target).rpartition(".")
    value: torch.Tensor = getattr(module.get_submodule(owner), name).detach()
    return value


def _set(module: GraphModule, target: str, value: torch.Tensor) -> None:
    import torch

    owner, _, name = target.rpartition(".")
    parent = module.get_submodule(owner)
    if hasattr(parent, name):
        delattr(parent, name)
    parent.register_parameter(name, torch.nn.Parameter(value, requires_grad=False))
