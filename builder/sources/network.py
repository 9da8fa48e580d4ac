"""An imported network as steps: calls of torch functions on values by name, with every stored tensor named by its layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from builder.precision.program import in_list

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Function = Callable[..., Any]
"""A call's arithmetic: tensors in the order of its operands (None for an omitted one) -> a tensor, or a tuple of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """The integers that a quantizer rounds to: of `kind` (`int8`), from `low` to `high`, and q stands for (q - zero) * scale.

    One scale and zero point for the tensor (`axis` is None), or one of each along an axis.
    """

    scale: Tensor
    zero: Tensor
    axis: int | None
    kind: str
    low: int
    high: int

    def has_same_grid(self, other: Rounding) -> bool:
        import torch

        return (
            self.axis == other.axis
            and self.kind == other.kind
            and torch.equal(self.scale, other.scale)
            and torch.equal(self.zero, other.zero)
        )


@dataclass(frozen=True, kw_only=True)
class Weight:
    """An operand that is a stored tensor of its own: `role` is `weight` or `bias` of the node's layer, else the constant's use.

    `origin` is the initializer it was made of where there is one, so that tied weights stay one parameter. `form`: the value
    is the origin itself, its transpose, or something else made of it.
    """

    role: str
    value: Tensor
    origin: str | None = None
    form: Literal["same", "transposed", "other"] = "same"


Operand = str | Weight | None
"""A value by name, a stored tensor, or an omitted optional input."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a node becomes. `rounding`: it only rounds to these integers, or is the floats that such integers stand for;
    `float_function` is what it is without the grid."""

    function: Function
    operands: tuple[Operand, ...]
    rounding: Rounding | None = None
    float_function: Function | None = None

    @property
    def quantizer(self) -> bool:
        return self.rounding is not None


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
    """The graph as steps. `stored` gives the parameter name of every stored tensor's value name, `tensors` the tensors.

    `roundings`: by parameter name, the integers that the file has of a weight. `unrounded`: nodes that compute with the
    integers of weights in another way, so that they are lost.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    stored: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    roundings: Mapping[str, Rounding] = field(default_factory=dict)
    unrounded: tuple[str, ...] = ()

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
                    None if o is None else values[o] if o in values else find_stored(self, paths[o])
                    for o in step.operands
                ]
                function = step.call.function
                if not quantizers and step.call.float_function is not None:
                    function = step.call.float_function
                values.update(zip(step.outputs, in_list(function(*operands)), strict=False))
            outputs_in_order = tuple(values[name] for name in imported.outputs)
            return outputs_in_order[0] if len(outputs_in_order) == 1 else outputs_in_order

    network = Network()
    paths = {key: place(network, path, imported.tensors[path]) for key, path in imported.stored.items()}
    return network.eval()


def place(root: Module, path: str, value: Tensor) -> str:
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


def find_stored(root: Module, path: str) -> Tensor:
    """What `place` registered under this name."""
    owner, _, name = path.rpartition(".")
    tensor: Tensor = getattr(root.get_submodule(owner), name)
    return tensor
