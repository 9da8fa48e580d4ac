"""A loaded source network, as every stage after the source takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec
from builder.precision.layers import Layer, LayerTable
from builder.precision.program import find_keys_of_stored
from builder.precision.quantizers import Integers, before_quantizers, read_trained_integers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram


_CALLS = ("aten.conv2d.", "aten.conv_transpose2d.", "aten.linear.")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded source network: exported, batch norms folded, with its inputs and outputs in the order of `forward`.

    `told` says what was done to the weights of its checkpoint.
    """

    program: ExportedProgram
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: LayerTable
    told: tuple[str, ...] = ()

    def weight(self, layer: Layer) -> NDArray[np.generic]:
        """The layer's weight in torch's layout."""
        values: NDArray[np.generic] = self.program.state_dict[layer.weight].detach().numpy()
        return values

    def bias(self, layer: Layer) -> NDArray[np.generic] | None:
        """The layer's bias, None where it has none."""
        if layer.bias is None:
            return None
        values: NDArray[np.generic] = self.program.state_dict[layer.bias].detach().numpy()
        return values

    def calls(self) -> list[Layer]:
        """The layer of every call in order of execution: tied weights appear once a call."""
        keys = find_keys_of_stored(self.program)
        by_weight = {layer.weight: layer for layer in self.layers.layers}
        calls = []
        for node in self.program.graph.nodes:
            if node.op == "call_function" and len(node.args) > 1:
                layer = by_weight.get(keys.get(getattr(before_quantizers(node.args[1]), "name", ""), ""))
                if layer is not None and str(node.target).startswith(_CALLS):
                    calls.append(layer)
        return calls

    def integers(self) -> dict[str, tuple[Integers, ...]]:
        """By layer: what the checkpoint was trained to compute with at each call; empty for a network of floats."""
        layers = {layer.weight: layer.name for layer in self.layers.layers if layer.trained}
        return (
            {layers[key]: calls for key, calls in read_trained_integers(self.program, layers).items()} if layers else {}
        )
