"""A program that was trained for integers in one form: every quantized weight a float parameter by its layer's name, behind its quantizer.

PT2E folds weights to integers under names of its own (`_frozen_param0`). A float times its scale is the same integer again,
and the layer keeps the name that plans know it by.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.precision.activations import CALLS
from builder.precision.quantizers import (
    DEQUANTIZE,
    QUANTIZE,
    before_quantizers,
    has_quantizers,
    is_quantizer,
    is_trained,
)

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

_HOW = "train it with quantizers of 8 bits with fixed scales, as torchao's XNNPACKQuantizer has them"
_TENSOR, _CHANNEL = "per_tensor", "per_channel"
_SIGNED, _UNSIGNED = (-128, 127), (0, 255)


def one_form(program: ExportedProgram) -> ExportedProgram:
    """The program with its quantizers in the one form that everything after it knows; one without quantizers is returned as it is.

    Raises SourceError for quantizers that no runtime here computes with.
    """
    import torch

    if not has_quantizers(program):
        return program
    module: Any = program.module(check_guards=False)
    for node in list(module.graph.nodes):
        if is_quantizer(node):
            _literal(module, node)
            _require_known(node)
    for node in list(module.graph.nodes):
        if node.op == "call_function" and str(node.target) in CALLS:
            _unfold_weight(module, node)
            _unfold_bias(module, node)
    for node in list(module.graph.nodes):
        if is_quantizer(node):
            _as_signed(node)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    shapes = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
    samples = tuple(torch.zeros(tuple(value.shape), dtype=value.dtype) for value in shapes)
    with torch.no_grad():
        made = torch.export.export(module, samples)
    for node in made.graph.nodes:
        if node.op == "call_function" and str(node.target) in CALLS:
            _require_both(node)
    return made


def _require_known(node: Node) -> None:
    name = str(node.target)
    if name not in (*QUANTIZE, *DEQUANTIZE):
        kind = "at run time" if "choose_qparams" in name or name.endswith(".tensor") else f"by {name}"
        raise SourceError(
            f"the checkpoint chooses scales {kind} ({node.name}), which is nothing that it learned; {_HOW}."
        )


def _literal(module: GraphModule, node: Node) -> None:
    """Scale and zero point of a whole tensor as numbers, where they are stored as tensors."""
    import torch

    name, values = str(node.target), list(node.args)
    if not name.endswith(("quantize_per_tensor.tensor", "quantize_per_tensor.tensor2")):
        return
    if any(getattr(value, "op", "get_attr") != "get_attr" for value in values[1:5]):
        return
    numbers = [_value(module, value).item() if isinstance(value, torch.fx.Node) else value for value in values[1:5]]
    node.args = (values[0], float(numbers[0]), *(int(number) for number in numbers[1:]), *values[5:])
    kind = "dequantize" if "dequantize" in name else "quantize"
    node.target = getattr(torch.ops.quantized_decomposed, f"{kind}_per_tensor").default


def _as_signed(node: Node) -> None:
    """Integers of 0 to 255 are those of -128 to 127 moved by 128: the same steps."""
    import torch

    place = 3 if _TENSOR in str(node.target) else 4
    edges, kind = tuple(node.args[place : place + 2]), node.args[place + 2]
    if kind is torch.uint8 and edges == _UNSIGNED and _TENSOR in str(node.target):
        zero: Any = node.args[2]
        node.args = (*node.args[:2], zero - 128, *_SIGNED, torch.int8)
    elif kind is not torch.int8 or edges not in (_SIGNED, (-127, 127)):
        raise SourceError(
            f"the checkpoint has a quantizer of {kind} from {edges[0]} to {edges[1]} ({node.name}), which no runtime here computes with; {_HOW}."
        )


def _unfold_weight(module: GraphModule, call: Node) -> None:
    """Integers behind a dequantizer become floats behind both."""
    import torch

    dequantize: Any = call.args[1]
    if str(getattr(dequantize, "target", "")) not in DEQUANTIZE or str(dequantize.args[0].target) in QUANTIZE:
        return
    integers = _value(module, dequantize.args[0])
    scale, zero = (
        _value(module, value) if isinstance(value, torch.fx.Node) else value for value in dequantize.args[1:3]
    )
    with torch.no_grad():
        floats = dequantize.target(integers, scale, zero, *dequantize.args[3:])
    kind = _CHANNEL if _CHANNEL in str(dequantize.target) else _TENSOR
    quantize = getattr(torch.ops.quantized_decomposed, f"quantize_{kind}").default
    again = quantize(floats, scale, zero, *dequantize.args[3:])
    name = _layer_name(module, call)
    if not torch.equal(again, integers):
        raise SourceError(f"the weights of {name!r} are integers that their scales do not give back; {_HOW}.")
    with module.graph.inserting_before(dequantize):
        weight = module.graph.get_attr(_register(module, f"{name}.weight", floats))
        rounded = module.graph.call_function(quantize, (weight, *dequantize.args[1:]))
    call.replace_input_with(dequantize, _own(module, dequantize, rounded))


def _own(module: GraphModule, dequantize: Node, rounded: Node) -> Node:
    with module.graph.inserting_after(rounded):
        made: Node = module.graph.call_function(dequantize.target, (rounded, *dequantize.args[1:]), dequantize.kwargs)
    return made


def _unfold_bias(module: GraphModule, call: Node) -> None:
    """A bias of integers becomes the floats that they stand for: each runtime rounds it to the product of the scales itself."""
    import torch

    bias: Any = call.args[2] if len(call.args) > 2 else None
    if bias is None or str(bias.target) not in DEQUANTIZE:
        return
    source = before_quantizers(bias)
    if source is not bias:
        call.replace_input_with(bias, source)
        return
    arguments = [_value(module, value) if isinstance(value, torch.fx.Node) else value for value in bias.args]
    with torch.no_grad():
        floats = bias.target(*arguments)
    with module.graph.inserting_before(call):
        stored = module.graph.get_attr(_register(module, f"{_layer_name(module, call)}.bias", floats))
    call.replace_input_with(bias, stored)


def _layer_name(module: GraphModule, call: Node) -> str:
    """By the weight or bias that kept its name, else by the module that the call was traced in."""
    for place in (1, 2):
        argument = (
            before_quantizers(call.args[place]) if len(call.args) > place and call.args[place] is not None else None
        )
        name = str(getattr(argument, "target", ""))
        if getattr(argument, "op", "") == "get_attr" and name.endswith((".weight", ".bias")):
            return name.rpartition(".")[0]
    stack = [entry[0] for entry in (call.meta.get("nn_module_stack") or {}).values()]
    found = re.sub(r"^L\['self'\]\.?|^L__self___?", "", str(stack[-1])) if stack else ""
    return found or call.name


def _require_both(call: Node) -> None:
    """Integer arithmetic needs integers on both sides."""
    weight: Any = call.args[1]
    zero: Any = getattr(weight, "args", (None, None, None))[2] if before_quantizers(weight) is not weight else 0
    if isinstance(zero, int) and zero:
        raise SourceError(
            f"the weights of {before_quantizers(weight).name!r} have the zero point {zero}, and no runtime here has one for weights; {_HOW}."
        )
    if before_quantizers(weight) is not weight and not is_trained(call):
        raise SourceError(
            f"the layer of {before_quantizers(weight).name!r} has quantized weights and an input without a quantizer; {_HOW}."
        )


def _value(module: GraphModule, node: Any) -> torch.Tensor:
    if getattr(node, "op", "") != "get_attr":
        raise SourceError(f"the checkpoint computes the scale or the integers of {node}; {_HOW}.")
    owner, _, name = str(node.target).rpartition(".")
    found: torch.Tensor = getattr(module.get_submodule(owner), name).detach()
    return found


def _register(module: GraphModule, target: str, value: torch.Tensor) -> str:
    """A parameter by this name; with a number where something else has it."""
    import torch

    owner, _, name = target.rpartition(".")
    parent: Any = module
    for part in owner.split(".") if owner else []:
        if part not in dict(parent.named_children()):
            parent.add_module(part, torch.nn.Module())
        parent = getattr(parent, part)
    number, chosen = 1, name
    while hasattr(parent, chosen):
        if torch.equal(getattr(parent, chosen), value):
            return f"{owner}.{chosen}" if owner else chosen
        number += 1
        chosen = f"{name}_{number}"
    parent.register_parameter(chosen, torch.nn.Parameter(value.clone(), requires_grad=False))
    return f"{owner}.{chosen}" if owner else chosen
