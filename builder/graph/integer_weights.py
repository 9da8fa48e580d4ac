"""A program that was trained for integers, with integers in place of its quantized weights, as converters take it that compute no quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.graph.model import Model
from builder.precision.quantizers import QUANTIZE

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def make_integer_module(model: Model) -> Any:
    """The program's module; what a dequantizer of a weight reads is a stored tensor of 8-bit integers."""
    module: Any = model.program.module(check_guards=False)
    number = 0
    for node in list(module.graph.nodes):
        if str(node.target) not in QUANTIZE or node.args[0].op != "get_attr":
            continue
        arguments = [_value(module, argument) for argument in node.args]
        name, number = f"integers_{number}", number + 1
        module.register_buffer(name, node.target(*arguments).contiguous())
        with module.graph.inserting_before(node):
            stored = module.graph.get_attr(name)
        node.replace_all_uses_with(stored)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def with_integer_weights(model: Model) -> ExportedProgram:
    """The same as a program."""
    import torch

    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    with torch.no_grad():
        return torch.export.export(make_integer_module(model), samples)


def _value(module: Any, argument: Any) -> Any:
    if getattr(argument, "op", "") != "get_attr":
        return argument
    owner, _, name = str(argument.target).rpartition(".")
    return getattr(module.get_submodule(owner), name).detach()
