"""A QDQ file as a network that was trained for integers: its quantizers become the operators that PT2E writes.

A quantizer of an activation becomes a pair behind the value, and its dequantizers nothing: the value between them moves only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.precision.quantizers import know_operators
from builder.sources.network import Imported, Rounding, Step, find_stored, place

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

HOW = (
    "quantize it with QDQ, activations and weights of 8 bits, the weights without a zero point (ONNX Runtime: QuantType.QInt8), or name "
    "a scheme for every [[variant]], and the network is quantized anew"
)
# What may stand between a quantizer and its dequantizer: values move, none changes.
_MOVES = {
    "Concat", "DepthToSpace", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze",
    "Transpose", "Unsqueeze",
}  # fmt: skip

Pair = Callable[["Module", "Tensor"], "Tensor"]


def build_trained_module(imported: Imported) -> Module:
    """A torch module that runs the steps in floats between quantizers. Raises SourceError for what has no such form."""
    from torch import nn

    know_operators()
    if imported.unrounded:
        raise SourceError(
            f"node {imported.unrounded[0]!r} computes with the integers of a weight, so that no layer has them; {HOW}."
        )
    made = {name: step for step in imported.steps for name in step.outputs}
    functions: dict[int, Callable[..., Any]] = {}
    for number, step in enumerate(imported.steps):
        functions[number] = _function(step, made)

    class Network(nn.Module):
        """The steps in order, over values by name."""

        def forward(self, *inputs: Tensor) -> Any:
            values: dict[str, Any] = dict(zip(imported.inputs, inputs, strict=True))
            for number, step in enumerate(imported.steps):
                operands = [None if o is None else values[o] if o in values else _read(self, o) for o in step.operands]
                result = functions[number](*operands)
                results = result if isinstance(result, tuple | list) else (result,)
                values.update(zip(step.outputs, results, strict=False))
            outputs = tuple(values[name] for name in imported.outputs)
            return outputs[0] if len(outputs) == 1 else outputs

    def _read(network: Module, key: str) -> Tensor:
        value, pair = find_stored(network, paths[key]), pairs.get(imported.stored[key])
        return value if pair is None else pair(network, value)

    network = Network()
    paths = {key: place(network, path, imported.tensors[path]) for key, path in imported.stored.items()}
    pairs = {path: _make_weight_pair(network, path, rounding) for path, rounding in imported.roundings.items()}
    return network.eval()


def _function(step: Step, made: dict[str, Step]) -> Callable[..., Any]:
    rounding = step.call.rounding
    if rounding is None:
        return step.call.function
    if not rounding.high or rounding.axis is not None:
        what = "by channel" if rounding.axis is not None else f"to {rounding.kind}"
        raise SourceError(f"node {step.node!r} ({step.op}) quantizes an activation {what}; {HOW}.")
    pair = _make_activation_pair(rounding)
    if step.op == "QuantizeLinear":
        return pair
    quantizer = _find_quantizer(step, made)
    if quantizer is None:  # integers that the network is given
        return lambda x: pair(step.call.function(x))
    if quantizer.call.rounding is None or not quantizer.call.rounding.has_same_grid(rounding):
        raise SourceError(
            f"node {step.node!r} reads the integers of {quantizer.node!r} with another scale or zero point, which no runtime here does; {HOW}."
        )
    return lambda x: x


def _find_quantizer(step: Step, made: dict[str, Step]) -> Step | None:
    """The QuantizeLinear whose integers a DequantizeLinear reads, through what moves them; None where the network's input is read."""
    source = made.get(step.operands[0] or "")
    while source is not None and source.op != "QuantizeLinear":
        if source.op not in _MOVES and source.op != "Cast":
            raise SourceError(f"node {source.node!r} ({source.op}) computes with integers of activations; {HOW}.")
        source = made.get(source.operands[0] or "")
    return source


def _make_activation_pair(rounding: Rounding) -> Callable[[Tensor], Tensor]:
    import torch

    q: Any = torch.ops.quantized_decomposed
    grid = (float(rounding.scale), int(rounding.zero), rounding.low, rounding.high, getattr(torch, rounding.kind))

    def pair(x: Tensor) -> Tensor:
        result: Tensor = q.dequantize_per_tensor(q.quantize_per_tensor(x, *grid), *grid)
        return result

    return pair


def _make_weight_pair(network: Module, path: str, rounding: Rounding) -> Pair:
    import torch

    if rounding.axis is None:
        whole = _make_activation_pair(rounding)
        return lambda _, value: whole(value)
    q: Any = torch.ops.quantized_decomposed
    scale, zero = place(network, f"{path}_scale", rounding.scale), place(network, f"{path}_zero", rounding.zero)
    last = (rounding.axis, rounding.low, rounding.high, getattr(torch, rounding.kind))

    def pair(network: Module, value: Tensor) -> Tensor:
        grid = (find_stored(network, scale), find_stored(network, zero), *last)
        result: Tensor = q.dequantize_per_channel(q.quantize_per_channel(value, *grid), *grid)
        return result

    return pair
