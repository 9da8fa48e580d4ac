"""The quantizers of a program that was trained for integers: pairs of a quantize and a dequantize operator, as PT2E writes them.

A value that such a pair stands behind is rounded to integers q of 8 bits that stand for (q - zero_point) * scale. Everything
that asks what a layer reads or what its weights are looks through the pair.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.precision.activations import CALLS, find_layer_output
from builder.precision.program import find_keys_of_stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import Node

_OPERATORS = "quantized_decomposed."
QUANTIZE = tuple(f"{_OPERATORS}quantize_per_{kind}.default" for kind in ("tensor", "channel"))
DEQUANTIZE = tuple(f"{_OPERATORS}dequantize_per_{kind}.default" for kind in ("tensor", "channel"))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One scale and zero point for a tensor, or one of each for every output channel. Scales are float32's."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]

    def __str__(self) -> str:
        if len(self.scale) > 1:
            return f"{len(self.scale)} scales"
        return f"scale {self.scale[0]:.6g} and zero point {self.zero_point[0]}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Integers:
    """What one call of a layer computes with: the integers of its weights in torch's layout, and the grids of weights and activations.

    `outputs` is of the activation that is computed with the layer; None where no quantizer stands behind it.
    """

    weight: NDArray[np.int8]
    weights: Grid
    inputs: Grid
    outputs: Grid | None


def know_operators() -> None:
    """Teach torch the operators, without which it cannot read a program that has them."""
    import torch.ao.quantization.fx._decomposed  # noqa: F401


def is_quantizer(node: Any) -> bool:
    """Whether a node is one half of a pair."""
    return node.op == "call_function" and str(node.target).startswith(_OPERATORS)


def has_quantizers(program: ExportedProgram) -> bool:
    return any(is_quantizer(node) for node in program.graph.nodes)


def before_quantizers(node: Any) -> Any:
    """The value that a pair rounds; the node itself where it is no pair."""
    while str(getattr(node, "target", "")) in DEQUANTIZE and str(node.args[0].target) in QUANTIZE:
        node = node.args[0].args[0]
    return node


def without_quantizers(program: ExportedProgram) -> ExportedProgram:
    """The same network before rounding; the program itself where it has no quantizers."""
    if not has_quantizers(program):
        return program
    floats = copy.deepcopy(program)
    for node in list(floats.graph.nodes):
        source = before_quantizers(node)
        if source is not node:
            node.replace_all_uses_with(source)
            floats.graph_signature.replace_all_uses(node.name, source.name)
    floats.graph.eliminate_dead_code()
    floats.graph_module.recompile()
    return floats


def read_trained_integers(program: ExportedProgram, weights: Collection[str]) -> dict[str, tuple[Integers, ...]]:
    """By state-dict key of the weight: what the checkpoint says of every call, in order of execution. `weights` are the layers'."""
    keys = find_keys_of_stored(program)
    integers: dict[str, tuple[Integers, ...]] = {}
    for node in program.graph.nodes:
        if node.op != "call_function" or str(node.target) not in CALLS:
            continue
        key = keys.get(getattr(before_quantizers(node.args[1]), "name", ""), "")
        if key in weights and is_trained(node):
            integers[key] = (*integers.get(key, ()), _of_call(program, node, keys))
    return integers


def is_trained(call: Any) -> bool:
    """Whether a layer's call has weights and an input that quantizers stand behind."""
    return all(before_quantizers(argument) is not argument for argument in call.args[:2])


def find_activation_grids(program: ExportedProgram) -> tuple[Grid, ...]:
    """Of all quantizers of activations, in order of execution."""
    names = find_keys_of_stored(program)
    return tuple(
        _grid(node, program, {})
        for node in program.graph.nodes
        if str(node.target) == QUANTIZE[0] and node.args[0].name not in names
    )


def _of_call(program: ExportedProgram, call: Node, keys: dict[str, str]) -> Integers:
    import numpy as np

    weight: Any = call.args[1]
    quantize = weight.args[0]
    values = program.state_dict[keys[before_quantizers(weight).name]].detach()
    arguments = [_read_stored(program, argument, keys) for argument in quantize.args[1:]]
    integers = quantize.target(values, *arguments)
    source: Any = call.args[0]
    after = list(find_layer_output(call).users)
    rounded = bool(after) and all(str(user.target) == QUANTIZE[0] for user in after)
    return Integers(
        weight=np.asarray(integers.numpy(), np.int8),
        weights=_grid(quantize, program, keys),
        inputs=_grid(source.args[0], program, keys),
        outputs=_grid(after[0], program, keys) if rounded else None,
    )


def _grid(quantize: Any, program: ExportedProgram, keys: dict[str, str]) -> Grid:
    import numpy as np

    scale, zero = (_read_stored(program, argument, keys) for argument in quantize.args[1:3])
    if isinstance(scale, float):
        return Grid(scale=(float(np.float32(scale)),), zero_point=(int(zero),))
    return Grid(
        scale=tuple(float(value) for value in np.asarray(scale, np.float32)),
        zero_point=tuple(int(value) for value in zero),
    )


def _read_stored(program: ExportedProgram, argument: Any, keys: dict[str, str]) -> Any:
    """An argument of an operator; a stored tensor by its value."""
    name = getattr(argument, "name", None)
    if name is None:
        return argument
    constants = program.graph_signature.inputs_to_lifted_tensor_constants
    return program.constants[constants[name]] if name in constants else program.state_dict[keys[name]].detach()


def find_difference(wanted: Integers, held: Integers) -> str | None:
    """What of a file's call is not the checkpoint's, or None where integers, scales and zero points are equal."""
    import numpy as np

    if wanted.weight.shape != held.weight.shape or not np.array_equal(wanted.weight, held.weight):
        return "other integers of its weights"
    if wanted.weights != held.weights:
        return f"{held.weights} of its weights instead of {wanted.weights}"
    if wanted.inputs != held.inputs:
        return f"{held.inputs} of its input instead of {wanted.inputs}"
    if wanted.outputs is not None and wanted.outputs != held.outputs:
        return f"{held.outputs or 'no integers'} of its output instead of {wanted.outputs}"
    return None
