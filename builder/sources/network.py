"""An imported network as steps: calls of torch functions on values by name, with every stored tensor named by its layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.precision.program import in_list

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Function = Callable[..., Any]
"""A call's arithmetic: tensors in the order of its operands (None for an omitted one) -> a tensor, or a tuple of them."""


@dataclass(frozen=True, kw_only=True)
class Weight:
    """An operand that is a stored tensor of its own: `role` is `weight` or `bias` of the node's layer, else the constant's use.

    `origin` is the initializer it was made of where there is one, so that tied weights stay one parameter.
    """

    role: str
    value: Tensor
    origin: str | None = None


Operand = str | Weight | None
"""A value by name, a stored tensor, or an omitted optional input."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a node becomes. `quantizer`: it only rounds to a grid, and `float_function` is what it is without the grid."""

    function: Function
    operands: tuple[Operand, ...]
    quantizer: bool = False
    float_function: Function | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call: values by name in, values by name out. Operands are names of values or of stored tensors, None if omitted."""

    node: str
    op: str
    call: Call
    operands: tuple[str | None, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The graph as steps. `stored` gives the parameter name of every stored tensor's value name, `tensors` the tensors."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    stored: Mapping[str, str]
    tensors: Mapping[str, Tensor]

    @property
    def quantized(self) -> bool:
        return any(step.call.quantizer for step in self.steps)

    def module(self, *, quantizers: bool = True) -> Module:
        """A torch module that runs the steps; without `quantizers` what they round stays as it is."""
        return _network(self, quantizers)


def _network(imported: Imported, quantizers: bool) -> Module:
    from torch import nn

    class Network(nn.Module):
        """The steps in order, over values by name."""

        def forward(self, *inputs: Tensor) -> Any:
            values: dict[str, Any] = dict(zip(imported.inputs, inputs, strict=True))
            for step in imported.steps:
                operands = [
                    None if o is None else values[o] if o in values else _get(self, paths[o]) for o in step.operands
                ]
                function = step.call.function
                if not quantizers and step.call.float_function is not None:
                    function = step.call.float_function
                values.update(zip(step.outputs, in_list(function(*operands)), strict=False))
            outputs_in_order = tuple(values[name] for name in imported.outputs)
            return outputs_in_order[0] if len(outputs_in_order) == 1 else outputs_in_order

    network = Network()
    paths = {key: _place(network, path, imported.tensors[path]) for key, path in imported.stored.items()}
    return network.eval()


def _place(root: Module, path: str, value: Tensor) -> str:
    """Register a tensor under a dotted name; a part that torch's modules use themselves gets an underscore."""
    from torch import nn

    owner, parts = root, path.split(".")
    placed = []
    for part in parts[:-1]:
        while hasattr(owner, part) and part not in dict(owner.named_children()):
            part += "_"
        if part not in dict(owner.named_children()):
            owner.add_module(part, nn.Module())
        owner = owner.get_submodule(part)
        placed.append(part)
    last = parts[-1]
    while hasattr(owner, last):
        last += "_"
    if value.is_floating_point():
        owner.register_parameter(last, nn.Parameter(value, requires_grad=False))
    else:
        owner.register_buffer(last, value)
    return ".".join((*placed, last))


def _get(root: Module, path: str) -> Tensor:
    owner, _, name = path.rpartition(".")
    tensor: Tensor = getattr(root.get_submodule(owner), name)
    return tensor
