"""A loaded source network, as every stage after the source takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.bundle import TensorSpec
from builder.precision.layers import Layer, LayerTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded source network: exported, batch norms folded, with its inputs and outputs in the order of `forward`."""

    program: ExportedProgram
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: LayerTable

    def weight(self, layer: Layer) -> NDArray[np.generic]:
        """The layer's weight in torch's layout."""
        values: NDArray[np.generic] = self.program.state_dict[layer.weight].detach().numpy()
        return values
