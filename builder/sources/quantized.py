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

HOW = "train it with quantizers of 8 bits with fixed scales, as torchao's XNNPACKQuantizer has them"
# Padding is with zeros, which every grid has, or with values that are there.
_MOVES = (
    "aten.pad.default", "aten.constant_pad_nd.default", "aten.permute.default", "aten.transpose.int", "aten.reshape.default",
    "aten.view.default", "aten.flatten.using_ints", "aten.squeeze.dims", "aten.unsqueeze.default", "aten.max_pool2d.default",
    "aten.slice.Tensor", "aten.pixel_shuffle.default", "aten.pixel_unshuffle.default",
)  # fmt: skip
_TENSOR, _CHANNEL = "per_tensor", "per_channel"
# The ends of integers of 8 bits.
_SIGNED, _UNSIGNED = (-128, 127), (0, 255)


def unify_quantizers(program: ExportedProgram, how: str = HOW) -> ExportedProgram:
    """The program with its quantizers in the one form that everything after it knows; one without quantizers is returned as it is.

    Raises SourceError for quantizers that no runtime here computes with; `how` is the cure that it names.
    """
    import torch

    if not has_quantizers(program):
        return program
    module: Any = program.module(check_guards=False)
    for node in list(module.graph.nodes):
        if is_quantizer(node):
            _literal(module, node, how)
            _require_known(node, how)
    for node in list(module.graph.nodes):
        if node.op == "call_function" and str(node.target) in CALLS:
            _unfold_weight(module, node, how)
            _unfold_bias(module, node, how)
            _round_again(module, node)
    for node in list(module.graph.nodes):
        if is_quantizer(node):
            _as_signed(node, how)
    module.graph.eliminate_dead_code()
    drop_unused(module)
    module.recompile()
    shapes = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
    samples = tuple(torch.zeros(tuple(value.shape), dtype=value.dtype) for value in shapes)
    with torch.no_grad():
        made = torch.export.export(module, samples)
    for node in made.graph.nodes:
        if node.op == "call_function" and str(node.target) in CALLS:
            _require_both(node, how)
    return made


def drop_unused(module: GraphModule) -> None:
    """Tensors that nothing reads: the integers of before, and the floats before those."""
    used = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    for name, _ in (*list(module.named_parameters()), *list(module.named_buffers())):
        if name not in used:
            owner, _, last = name.rpartition(".")
            delattr(module.get_submodule(owner), last)


def _require_known(node: Node, how: str) -> None:
    name = str(node.target)
    if name not in (*QUANTIZE, *DEQUANTIZE):
        kind = "at run time" if "choose_qparams" in name or name.endswith(".tensor") else f"by {name}"
        raise SourceError(
            f"the checkpoint chooses scales {kind} ({node.name}), which is nothing that it learned; {how}."
        )


def _literal(module: GraphModule, node: Node, how: str) -> None:
    """Scale and zero point of a whole tensor as numbers, where they are stored as tensors."""
    import torch

    name = str(node.target)
    values: list[Any] = list(node.args)
    if not name.endswith(("quantize_per_tensor.tensor", "quantize_per_tensor.tensor2")):
        return
    if any(getattr(value, "op", "get_attr") != "get_attr" for value in values[1:5]):
        return
    numbers = [
        _value(module, value, how).item() if isinstance(value, torch.fx.Node) else value for value in values[1:5]
    ]
    node.args = (values[0], float(numbers[0]), *(int(number) for number in numbers[1:]), *values[5:])
    kind = "dequantize" if "dequantize" in name else "quantize"
    node.target = getattr(torch.ops.quantized_decomposed, f"{kind}_per_tensor").default


def _as_signed(node: Node, how: str) -> None:
    """Integers of 0 to 255 are those of -128 to 127 moved by 128: the same steps."""
    import torch

    place = 3 if _TENSOR in str(node.target) else 4
    edges, kind = tuple(node.args[place : place + 2]), node.args[place + 2]
    if kind is torch.uint8 and edges == _UNSIGNED and _TENSOR in str(node.target):
        zero: Any = node.args[2]
        node.args = (*node.args[:2], zero - 128, *_SIGNED, torch.int8)
    elif kind is not torch.int8 or edges not in (_SIGNED, (-127, 127)):
        raise SourceError(
            f"the checkpoint has a quantizer of {kind} from {edges[0]} to {edges[1]} ({node.name}), which no runtime here computes with; {how}."
        )


def _unfold_weight(module: GraphModule, call: Node, how: str) -> None:
    """Integers, or floats that a quantizer rounds, become the floats that the integers stand for, behind both halves of a pair."""
    import torch

    dequantize: Any = call.args[1]
    if str(getattr(dequantize, "target", "")) not in DEQUANTIZE:
        return
    scale, zero = (
        _value(module, value, how) if isinstance(value, torch.fx.Node) else value for value in dequantize.args[1:3]
    )
    kind = _CHANNEL if _CHANNEL in str(dequantize.target) else _TENSOR
    quantize = getattr(torch.ops.quantized_decomposed, f"quantize_{kind}").default
    source = dequantize.args[0]
    with torch.no_grad():
        if str(source.target) in QUANTIZE:
            integers = quantize(_value(module, source.args[0], how), scale, zero, *dequantize.args[3:])
        else:
            integers = _value(module, source, how)
        floats = dequantize.target(integers, scale, zero, *dequantize.args[3:])
        again = quantize(floats, scale, zero, *dequantize.args[3:])
    name = _name_layer(module, call)
    if isinstance(zero, torch.Tensor) and bool(zero.any()):
        raise SourceError(f"the weights of {name!r} have zero points, and no runtime here has one for weights; {how}.")
    if not torch.equal(again, integers):
        raise SourceError(f"the weights of {name!r} are integers that their scales do not give back; {how}.")
    weight = _register(module, name, "weight", floats, instead_of=str(before_quantizers(dequantize).target))
    with module.graph.inserting_before(dequantize):
        stored = module.graph.get_attr(weight)
        rounded = module.graph.call_function(quantize, (stored, *dequantize.args[1:]))
        pair = module.graph.call_function(dequantize.target, (rounded, *dequantize.args[1:]), dequantize.kwargs)
    call.replace_input_with(dequantize, pair)


def _unfold_bias(module: GraphModule, call: Node, how: str) -> None:
    """A bias of integers becomes the floats that they stand for: each runtime rounds it to the product of the scales itself."""
    import torch

    bias: Any = call.args[2] if len(call.args) > 2 else None
    if bias is None or str(bias.target) not in DEQUANTIZE:
        return
    source = before_quantizers(bias)
    if source is not bias:
        call.replace_input_with(bias, source)
        return
    arguments = [_value(module, value, how) if isinstance(value, torch.fx.Node) else value for value in bias.args]
    with torch.no_grad():
        floats = bias.target(*arguments)
    with module.graph.inserting_before(call):
        stored = module.graph.get_attr(_register(module, _name_layer(module, call), "bias", floats))
    call.replace_input_with(bias, stored)


def _round_again(module: GraphModule, call: Node) -> None:
    """Values that only moved since they were rounded are on the grid still: the pair stands at the layer too, and changes nothing."""
    source: Any = call.args[0]
    if str(getattr(call.args[1], "target", "")) not in DEQUANTIZE:
        return
    pair = source
    while str(getattr(pair, "target", "")) in _MOVES:
        pair = pair.args[0]
    if pair is source or str(getattr(pair, "target", "")) not in DEQUANTIZE or before_quantizers(pair) is pair:
        return
    with module.graph.inserting_before(call):
        rounded = module.graph.call_function(pair.args[0].target, (source, *pair.args[0].args[1:]))
        again = module.graph.call_function(pair.target, (rounded, *pair.args[1:]), pair.kwargs)
    call.replace_input_with(source, again)


def _name_layer(module: GraphModule, call: Node) -> str:
    """By the weight or bias that kept its name, else by the module that the call was traced in."""
    for place in (1, 2):
        argument = (
            before_quantizers(call.args[place]) if len(call.args) > place and call.args[place] is not None else None
        )
        name = str(getattr(argument, "target", ""))
        if getattr(argument, "op", "") == "get_attr" and name.endswith((".weight", ".bias")):
            return name.rpartition(".")[0]
    stack = [entry[0] for entry in (call.meta.get("nn_module_stack") or {}).values()]
    layer = re.sub(r"^L\['self'\]\.?|^L__self___?", "", str(stack[-1])) if stack else ""
    return layer or call.name


def _require_both(call: Node, how: str) -> None:
    """Integer arithmetic needs integers on both sides."""
    weight: Any = call.args[1]
    zero: Any = getattr(weight, "args", (None, None, None))[2] if before_quantizers(weight) is not weight else 0
    if isinstance(zero, int) and zero:
        raise SourceError(
            f"the weights of {before_quantizers(weight).name!r} have the zero point {zero}, and no runtime here has one for weights; {how}."
        )
    if before_quantizers(weight) is not weight and not is_trained(call):
        raise SourceError(
            f"the layer of {before_quantizers(weight).name!r} has quantized weights and an input without a quantizer; {how}."
        )


def _value(module: GraphModule, node: Any, how: str) -> torch.Tensor:
    if getattr(node, "op", "") != "get_attr":
        raise SourceError(f"the checkpoint computes the scale or the integers of {node}; {how}.")
    return _by_name(module, str(node.target))


def _register(module: GraphModule, layer: str, role: str, value: torch.Tensor, *, instead_of: str = "") -> str:
    """A parameter by this name; where another tensor in use has it, the layer's name gets a number."""
    import torch

    used = {str(node.target) for node in module.graph.nodes if node.op == "get_attr" and node.users} - {instead_of}
    number, name = 1, f"{layer}.{role}"
    while name in used and not torch.equal(_by_name(module, name), value):
        number += 1
        name = f"{layer}_{number}.{role}"
    owner, _, last = name.rpartition(".")
    parent: Any = module
    for part in owner.split("."):
        if part not in dict(parent.named_children()):
            parent.add_module(part, torch.nn.Module())
        parent = getattr(parent, part)
    if name not in used:
        if hasattr(parent, last):  # the weights of before, which nothing reads any more
            delattr(parent, last)
        parent.register_parameter(last, torch.nn.Parameter(value.clone(), requires_grad=False))
    return name


def _by_name(module: GraphModule, target: str) -> torch.Tensor:
    owner, _, name = target.rpartition(".")
    tensor: torch.Tensor = getattr(module.get_submodule(owner), name).detach()
    return tensor
