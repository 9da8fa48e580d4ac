"""How much noise each layer alone would add to the outputs in each scheme: simulated on the source program, one sample.

Weights, and the activations that a layer reads and writes, are rounded as the schemes round them; everything after the layer
is computed in floats. It is an estimate that orders what is tried: fused kernels and calibrated ranges differ a little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.precision.activations import CALLS, find_layer_output
from builder.precision.biases import round_weight
from builder.precision.layers import Layer, LayerTable
from builder.precision.program import in_list
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

# Of all simulations together: a minute or two of two cores. Larger networks are searched without them.
LARGEST_MACS = 2e12


@dataclass(frozen=True)
class Rounding:
    """What one simulation rounds, to how many bits: `weights`, or the activations `read` or `written`."""

    what: str
    bits: int


def list_roundings(scheme: Scheme) -> tuple[Rounding, ...]:
    """The independent sources of noise of a scheme; none for floats and 16-bit activations, which add little beside 8 bits."""
    if scheme.mode == "float":
        return ()
    weights = Rounding("weights", scheme.weight_bits)
    if scheme.mode == "dynamic":
        return weights, Rounding("read", 8)
    if scheme.mode == "static":
        bits = scheme.activation_bits
        return (weights, Rounding("read", bits), Rounding("written", bits)) if bits < 16 else (weights,)
    return (weights,)


def count_simulated_macs(table: LayerTable, schemes: Sequence[Scheme]) -> float:
    """Multiply-accumulates of `sensitivities`: each simulation runs what follows the layer, half of the network on average."""
    kinds = {rounding for scheme in schemes for rounding in list_roundings(scheme)}
    return sum(layer.macs for layer in table.layers) / 2 * len(table.layers) * len(kinds)


def estimate_sensitivities(
    program: ExportedProgram,
    table: LayerTable,
    inputs: Sequence[str],
    sample: Mapping[str, NDArray[np.generic]],
    schemes: Sequence[Scheme],
    tell: Callable[[str], None],
) -> dict[str, tuple[float, ...]]:
    """Noise power relative to the outputs' squared range, by scheme name: a value for each layer in the order of the table."""
    import torch

    module: Any = program.module(check_guards=False)
    simulation = _Simulation(module, table)
    kinds = sorted({r for scheme in schemes for r in list_roundings(scheme)}, key=lambda r: (r.what, r.bits))
    damage: dict[str, dict[Rounding, float]] = {layer.name: dict.fromkeys(kinds, 0.0) for layer in table.layers}
    with torch.no_grad():
        values = [torch.from_numpy(sample[name]) for name in inputs]
        wanted = simulation.outputs(values)
        for number, (layer, kind, outputs) in enumerate(simulation.each(values, kinds)):
            tell(f"simulate {number + 1}/{len(table.layers) * len(kinds)}")
            damage[layer][kind] = _noise(outputs, wanted)
    return {
        scheme.name: tuple(sum(damage[layer.name][r] for r in list_roundings(scheme)) for layer in table.layers)
        for scheme in schemes
    }


class _Simulation:
    """Runs a graph node by node, keeping only the values that are still read."""

    def __init__(self, module: GraphModule, table: LayerTable) -> None:
        import torch

        layers = {layer.weight: layer for layer in table.layers}
        self._nodes = list(module.graph.nodes)
        self._interpreter = torch.fx.Interpreter(module)
        self._layer = {
            node: layers[str(node.args[1].target)]
            for node in self._nodes
            if node.op == "call_function" and str(node.target) in CALLS and str(node.args[1].target) in layers
        }
        self._written = {find_layer_output(node): layer for node, layer in self._layer.items()}
        place = {node: number for number, node in enumerate(self._nodes)}
        self._last = {node: max((place[user] for user in node.users), default=-1) for node in self._nodes}

    def outputs(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return self._run(0, dict(self._start(values)), None, None)

    def each(self, values: Sequence[torch.Tensor], kinds: Sequence[Rounding]) -> Any:
        """Layer, rounding and outputs of every simulation; what comes before a layer is computed once."""
        env = dict(self._start(values))
        done: set[str] = set()
        for number, node in enumerate(self._nodes):
            layer = self._layer.get(node)
            if layer is not None and layer.name not in done:
                done.add(layer.name)
                for kind in kinds:
                    yield layer.name, kind, self._run(number, dict(env), layer, kind)
            if node not in env and node.op != "output":
                self._step(number, node, env, None, None)

    def _start(self, values: Sequence[torch.Tensor]) -> Mapping[Node, Any]:
        places = [node for node in self._nodes if node.op == "placeholder"]
        return dict(zip(places, values, strict=True))

    def _run(self, first: int, env: dict[Node, Any], layer: Layer | None, kind: Rounding | None) -> list[torch.Tensor]:
        for number in range(first, len(self._nodes)):
            node = self._nodes[number]
            if node.op == "output":
                self._interpreter.env = env
                (result,), _ = self._interpreter.fetch_args_kwargs_from_env(node)
                return in_list(result)
            if node not in env:
                self._step(number, node, env, layer, kind)
        raise ValueError("a graph has an output")

    def _step(self, number: int, node: Node, env: dict[Node, Any], layer: Layer | None, kind: Rounding | None) -> None:
        """The value of one node, with the rounding where it belongs to the layer."""
        self._interpreter.env = env
        args, kwargs = self._interpreter.fetch_args_kwargs_from_env(node)
        if layer is not None and kind is not None and self._layer.get(node) is layer:
            if kind.what == "weights":
                args = (args[0], _round_weight(args[1], layer, kind.bits), *args[2:])
            elif kind.what == "read":
                args = (_round_value(args[0], kind.bits), *args[1:])
        if getattr(getattr(node.target, "_schema", None), "is_mutable", False):
            args = (args[0].clone(), *args[1:])  # other simulations read the same value
        value = getattr(self._interpreter, node.op)(node.target, args, kwargs)
        if layer is not None and kind is not None and kind.what == "written" and self._written.get(node) is layer:
            value = _round_value(value, kind.bits)
        env[node] = value
        for source in node.all_input_nodes:
            if self._last[source] <= number and source.op == "call_function":
                env.pop(source, None)


def _round_value(value: torch.Tensor, bits: int) -> torch.Tensor:
    """On the grid of so many bits between the extremes of this tensor, 0 included."""
    low, high = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
    step = (high - low) / (2**bits - 1)
    return value if step == 0 else (value / step).round() * step


def _round_weight(weight: torch.Tensor, layer: Layer, bits: int) -> torch.Tensor:
    import torch

    scheme = Scheme(name="simulated", mode="weight_only", weight_bits=bits, activation_bits=32)
    return torch.from_numpy(round_weight(weight.numpy(), layer, scheme)).to(weight.dtype)


def _noise(outputs: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> float:
    total = 0.0
    for got, want in zip(outputs, wanted, strict=True):
        span = float(want.max() - want.min()) or 1.0
        error = (got - want).double() / span
        total += float((error * error).mean()) if bool(error.isfinite().all()) else 1.0
    return total / len(wanted)
