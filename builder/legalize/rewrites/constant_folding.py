"""What depends on constants and parameters alone is computed once, here, and what nothing reads is left out.

A weight that is computed (weight norm, spectral norm, a scaled or standardised weight) becomes the weight of its layer, by the
name that the layer has without it: so it is a layer to every plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.legalize.rewriting import MOVES_DATA, make_functional
from builder.precision.program import in_list
from builder.precision.quantizers import is_quantizer

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

BOUND = MOVES_DATA
NEEDED_BY = ("xnnpack", "gpu")
ROUNDS = True  # what is stored was computed in float32 before as well
# A result larger than this, and than what it is made of, would cost more in the file than its computation on the device.
LARGEST_BYTES = 4 << 20
# Endings of parameters that a layer's weight is computed from, old and new ways.
_COMPUTED = (
    (".parametrizations.weight.original", ".weight"),
    (".parametrizations.bias.original", ".bias"),
    (".weight_v", ".weight"),
    (".weight_g", ".weight"),
    (".weight_orig", ".weight"),
)


def apply(program: ExportedProgram, samples: Sequence[Any]) -> tuple[ExportedProgram, int]:
    import torch

    if not _find_constant_nodes(program):
        return program, 0
    if any(getattr(getattr(node.target, "_schema", None), "is_mutable", False) for node in program.graph.nodes):
        program = make_functional(program)
    constant = _find_constant_nodes(program)
    module: Any = program.module(check_guards=False)
    names = _find_source_names(program)
    kept: dict[Any, torch.Tensor] = {}
    with torch.no_grad():
        for node in list(module.graph.nodes):
            if node.op == "get_attr":
                kept[node] = _attribute(module, str(node.target))
            elif node.name in constant:
                args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda source: kept[source])
                kept[node] = node.target(*args, **kwargs)
    folded = {
        node: value
        for node, value in kept.items()
        if node.op != "get_attr" and isinstance(value, torch.Tensor) and any(user not in kept for user in node.users)
    }
    in_use = {
        str(node.target) for node in kept if node.op == "get_attr" and any(user not in kept for user in node.users)
    }
    placed: dict[str, torch.Tensor] = {}
    for node, value in folded.items():
        name = _place(module, names.get(node.name, ""), value.detach().clone().contiguous(), in_use, placed)
        with module.graph.inserting_before(node):
            constant_node = module.graph.get_attr(name)
        constant_node.meta = dict(node.meta)
        node.replace_all_uses_with(constant_node)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    with torch.no_grad():
        return torch.export.export(module, samples[0]), len(folded)


def _place(module: Any, wanted: str, value: Tensor, in_use: set[str], placed: dict[str, Tensor]) -> str:
    """Register a computed value: as a parameter by the name of its layer, or as a constant. Equal values of one name are one."""
    import torch

    number = 1
    name = wanted or "folded_0"
    while name in in_use or (name in placed and not torch.equal(placed[name], value)):
        number += 1
        base, _, role = wanted.rpartition(".")
        name = f"{base}_{number}.{role}" if base else f"{wanted or 'folded'}_{number}"
    if name in placed:
        return name
    placed[name] = value
    owner, _, last = name.rpartition(".")
    parent = _make_submodule(module, owner)
    if hasattr(parent, last):
        delattr(parent, last)
    if wanted and value.is_floating_point():
        parent.register_parameter(last, torch.nn.Parameter(value, requires_grad=False))
    else:
        parent.register_buffer(last, value)
    return name


def _make_submodule(module: Any, path: str) -> Any:
    """The submodule of this name, made where it is not there."""
    import torch

    for part in path.split(".") if path else []:
        if part not in dict(module.named_children()):
            module.add_module(part, torch.nn.Module())
        module = getattr(module, part)
    return module


def _find_source_names(program: ExportedProgram) -> dict[str, str]:
    """For every node that parameters alone decide: the name of the weight that it is, after its largest parameter."""
    signature = program.graph_signature
    largest: dict[str, tuple[int, str]] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in signature.inputs_to_parameters:
            largest[node.name] = (node.meta["val"].numel(), _strip_name(signature.inputs_to_parameters[node.name]))
        elif node.op == "call_function":
            known = [largest[source.name] for source in node.all_input_nodes if source.name in largest]
            if known:
                largest[node.name] = max(known, key=lambda pair: pair[0])
    return {name: key for name, (_, key) in largest.items()}


def _strip_name(key: str) -> str:
    """`head.weight` of `head.parametrizations.weight.original1`."""
    for ending, plain in _COMPUTED:
        if ending in key:
            return key[: key.index(ending)] + plain
    return key


def _find_constant_nodes(program: ExportedProgram) -> set[str]:
    """Names of the nodes whose value no input reaches, in place of which a constant of reasonable size can stand."""
    inputs = set(program.graph_signature.user_inputs)
    made_of: dict[str, int] = {}
    for node in program.graph.nodes:
        size = _bytes(node.meta.get("val"))
        if node.op == "placeholder" and node.name not in inputs and size is not None:
            made_of[node.name] = size
        if node.op != "call_function" or size is None or "rand" in str(node.target) or is_quantizer(node):
            continue
        sources: list[Node] = node.all_input_nodes
        if all(source.name in made_of for source in sources):
            largest = max((made_of[source.name] for source in sources), default=0)
            if size <= max(LARGEST_BYTES, largest):
                made_of[node.name] = max(size, largest)
    return {node.name for node in program.graph.nodes if node.op == "call_function" and node.name in made_of}


def _bytes(value: Any) -> int | None:
    """Of a tensor, or of all that an operator gives; None where something else is among it."""
    sizes = [getattr(part, "nbytes", None) for part in in_list(value)]
    known = [int(size) for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _attribute(module: Any, target: str) -> Any:
    for part in target.split("."):
        module = getattr(module, part)
    return module.detach()
